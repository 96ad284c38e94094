"""What HTTP says when it fails, in our words."""

from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import ModelRejected, ModelUnauthorized, ModelUnavailable, RateLimited
from powerloop.llm.faults import Endpoint, from_connection, from_garbage, from_status, retry_after

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENDPOINT = Endpoint(
    provider="OpenAI",
    url="http://example.org/v1",
    key_variable="OPENAI_API_KEY",
    url_variable="OPENAI_BASE_URL",
)


def error_of(status: int, body: object = None, **headers: str):
    return from_status(ENDPOINT, "openai:gpt-x", status, body, headers, NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ModelRejected),
        (400, ModelRejected),
        (401, ModelUnauthorized),
        (402, ModelRejected),
        (403, ModelUnauthorized),
        (404, ModelRejected),
        (408, ModelUnavailable),
        (409, ModelUnavailable),
        (413, ModelRejected),
        (422, ModelRejected),
        (429, RateLimited),
        (500, ModelUnavailable),
        (502, ModelUnavailable),
        (503, ModelUnavailable),
        (529, ModelUnavailable),
    ],
)
def test_statuses(status, kind):
    assert type(error_of(status)) is kind


def test_the_providers_words_are_kept():
    unwrapped = error_of(400, {"message": "too long"})
    wrapped = error_of(400, {"type": "error", "error": {"type": "x", "message": "too long"}})
    text = error_of(502, "<html>Bad Gateway</html>")

    assert unwrapped.message == wrapped.message == "OpenAI answered 400: too long."
    assert "Bad Gateway" in text.message


def test_a_refused_key_names_its_variable():
    assert "OPENAI_API_KEY" in str(error_of(401))


def test_a_model_that_is_not_found_names_model_and_address():
    words = str(error_of(404))

    assert "'gpt-x'" in words
    assert "http://example.org/v1" in words
    assert "OPENAI_BASE_URL" in words


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Pay!", "code": "insufficient_quota"},
        {"error": {"message": "Pay!", "details": {"error_code": "enforced_spend_limit_reached"}}},
    ],
)
def test_an_account_without_money_is_no_rate_limit(body):
    assert type(error_of(429, body)) is ModelRejected


@pytest.mark.parametrize(
    ("headers", "span"),
    [
        ({}, None),
        ({"retry-after": "7"}, timedelta(seconds=7)),
        ({"retry-after": "0.5"}, timedelta(milliseconds=500)),
        ({"retry-after-ms": "250", "retry-after": "9"}, timedelta(milliseconds=250)),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, timedelta(seconds=30)),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, timedelta(0)),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers, span):
    assert retry_after(headers, NOW) == span


def test_a_rate_limit_carries_what_the_provider_asks():
    error = error_of(429, **{"retry-after": "7"})

    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(seconds=7)


def test_a_connection_that_cannot_be_made_names_address_variable_and_innermost_cause():
    outer = RuntimeError("Connection error.")
    outer.__cause__ = OSError("Name or service not known")

    words = str(from_connection(ENDPOINT, outer, began=False))

    assert "http://example.org/v1 cannot be reached: Name or service not known" in words
    assert "OPENAI_BASE_URL" in words


def test_a_connection_that_breaks_says_so():
    assert "broke off" in str(from_connection(ENDPOINT, ConnectionResetError(), began=True))


def test_an_answer_that_is_no_answer_is_refused_for_good():
    error = from_garbage(ENDPOINT, "<html>")

    assert isinstance(error, ModelRejected)
    assert "OPENAI_BASE_URL" in str(error)
