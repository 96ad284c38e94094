"""What a provider's HTTP says when it fails, as errors of the kernel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from powerloop.kernel.errors import (
    ModelError,
    ModelRejected,
    ModelUnauthorized,
    ModelUnavailable,
    RateLimited,
)

#: What providers call an account that has run dry. They send it as 429, but patience does not help.
_OUT_OF_MONEY = frozenset(
    {
        "billing_hard_limit_reached",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "insufficient_quota",
    }
)


#: Statuses below 500 that pass by themselves: a timeout, a conflict, a request that came too early.
_PASSING = (408, 409, 425)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A provider, in the words of its error messages."""

    provider: str
    #: The base URL.
    url: str
    #: The environment variable with its key.
    key_variable: str
    #: The environment variable with its base URL.
    url_variable: str


def from_status(
    endpoint: Endpoint, model: str, status: int, body: object, headers: Mapping[str, str], now: datetime
) -> ModelError:
    """The error that an HTTP status stands for.

    Args:
        endpoint: Who answered.
        model: ``provider:model``.
        status: The HTTP status.
        body: The decoded body, or its text.
        headers: By names in lower case.
        now: For a ``Retry-After`` that is a date.
    """
    said = f"{endpoint.provider} answered {status}: {message_of(body)}"
    if status in (401, 403):
        return ModelUnauthorized(said, hint=f"Check {endpoint.key_variable}.")
    if status == 429 and _code(body) not in _OUT_OF_MONEY:
        return RateLimited(said, retry_after=retry_after(headers, now))
    if status in _PASSING or not 300 <= status < 500:
        return ModelUnavailable(said)
    return ModelRejected(said, hint=_advice(endpoint, model, status))


def from_connection(endpoint: Endpoint, error: BaseException, *, began: bool) -> ModelUnavailable:
    """The error for a connection that could not be made, or that broke.

    Args:
        endpoint: Who was called.
        error: What the SDK raised.
        began: Whether the answer had begun.
    """
    reason = _reason(error)
    if began:
        return ModelUnavailable(f"{endpoint.provider} at {endpoint.url} broke off its answer: {reason}.")
    return ModelUnavailable(
        f"{endpoint.provider} at {endpoint.url} cannot be reached: {reason}.",
        hint=f"{endpoint.url_variable} sets the address.",
    )


def from_garbage(endpoint: Endpoint, answer: object) -> ModelRejected:
    """The error for an answer of status 200 that is not what the API promises: mostly a wrong address."""
    return ModelRejected(
        f"{endpoint.provider} at {endpoint.url} answered with what is not its API's: {answer!r:.200}",
        hint=f"Check {endpoint.url_variable}.",
    )


def message_of(body: object) -> str:
    """What an error's body says in words."""
    error = _error(body)
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message or "nothing")[:500].rstrip(". ") + "."


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the provider asks to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return timedelta(milliseconds=milliseconds)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return timedelta(seconds=seconds)
    try:
        return max(timedelta(0), parsedate_to_datetime(value or "") - now)
    except (ValueError, TypeError):
        return None


def _advice(endpoint: Endpoint, model: str, status: int) -> str | None:
    match status:
        case 404:
            name = model.partition(":")[2]
            return f"Is there a model {name!r} at {endpoint.url}? {endpoint.url_variable} sets the address."
        case 402 | 429:
            return "The account has reached its limit of spending."
        case _:
            return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _error(body: object) -> object:
    """The inner error: the OpenAI SDK unwraps it, Anthropic's does not."""
    return body["error"] if isinstance(body, Mapping) and body.get("error") else body


def _code(body: object) -> str:
    error: Any = _error(body)
    if not isinstance(error, Mapping):
        return ""
    details = error.get("details")
    return str(error.get("code") or (details or {}).get("error_code") or error.get("type") or "")


def _reason(error: BaseException) -> str:
    """The innermost cause: SDKs wrap it in words that say less."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
