"""What is tried again, when, and until when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.errors import (
    EmptyAnswer,
    ModelDeadline,
    ModelRejected,
    ModelUnauthorized,
    ModelUnavailable,
    RateLimited,
)
from powerloop.kernel.messages import text_of
from powerloop.llm.metered import Metered
from powerloop.llm.retrying import Retrying, RetryPolicy
from powerloop.testing.model_providers import WrittenDeltas, make_request

REQUEST = replace(make_request("test:model"), deadline=timedelta(minutes=5))


def retrying(model, clock, *, draw: float = 1.0, **policy) -> Retrying:
    return Retrying(
        Metered(model, clock), clock, random=lambda: draw, policy=RetryPolicy(**policy) if policy else None
    )


async def test_pauses_double_up_to_their_ceiling(inner, clock):
    model = inner(*[ModelUnavailable() for _ in range(6)], "at last")

    await retrying(model, clock, longest_pause=timedelta(seconds=5)).respond(REQUEST)

    assert clock.slept == [0.5, 1, 2, 4, 5, 5]


async def test_pauses_have_full_jitter(inner, clock):
    model = inner(ModelUnavailable(), ModelUnavailable(), "at last")

    await retrying(model, clock, draw=0.1).respond(REQUEST)

    assert clock.slept == pytest.approx([0.05, 0.1])


async def test_a_rate_limit_is_waited_out_as_it_asks(inner, clock):
    model = inner(RateLimited(retry_after=timedelta(seconds=7)), "at last")

    await retrying(model, clock, draw=0.5).respond(REQUEST)

    assert clock.slept == [7.25]


async def test_rate_limits_are_borne_until_the_deadline(inner, clock):
    model = inner(*[RateLimited() for _ in range(200)])

    with pytest.raises(ModelDeadline) as raised:
        await retrying(model, clock, draw=0.9).respond(REQUEST)

    assert clock.at < 300
    assert len(raised.value.attempts) == len(model.requests) > 10
    assert isinstance(raised.value.__cause__, RateLimited)
    assert "model.rate_limited" in str(raised.value)


async def test_nobody_waits_for_what_comes_after_the_deadline(inner, clock):
    model = inner(RateLimited(retry_after=timedelta(hours=1)))

    with pytest.raises(ModelDeadline):
        await retrying(model, clock).respond(REQUEST)

    assert clock.slept == []


@pytest.mark.parametrize("error", [ModelRejected(), ModelUnauthorized(), ModelDeadline()])
async def test_a_permanent_error_is_not_tried_again(inner, clock, error):
    model = inner(error, "too late")

    with pytest.raises(type(error)):
        await retrying(model, clock).respond(REQUEST)

    assert len(model.requests) == 1


async def test_an_empty_answer_is_tried_three_times_more(inner, clock):
    model = inner("", " ", "\n", "", "too late")

    with pytest.raises(EmptyAnswer) as raised:
        await retrying(model, clock).respond(REQUEST)

    assert [entry.error_code for entry in raised.value.attempts] == ["model.empty"] * 4


async def test_a_provider_that_stays_away_is_given_up(inner, clock):
    model = inner(*[ModelUnavailable() for _ in range(20)])

    with pytest.raises(ModelUnavailable) as raised:
        await retrying(model, clock).respond(REQUEST)

    assert len(raised.value.attempts) == 7


async def test_each_attempt_is_told_its_number_and_the_time_that_is_left(inner, clock):
    model = inner(ModelUnavailable(), ModelUnavailable(), "at last", takes=10)

    reply = await retrying(model, clock).respond(REQUEST)

    assert [request.attempt for request in model.requests] == [1, 2, 3]
    assert [request.deadline.total_seconds() for request in model.requests] == [300, 289.5, 278.5]
    assert [entry.error_code for entry in reply.attempts] == ["model.unavailable", "model.unavailable", None]


async def test_what_was_written_is_taken_back_before_the_next_attempt(inner, clock):
    model = inner(ModelUnavailable(), "at last", text="at ")
    deltas = WrittenDeltas()

    reply = await retrying(model, clock).respond(REQUEST, deltas)

    assert (deltas.rewinds, deltas.pieces) == (1, ["at "])
    assert text_of(reply.content) == "at last"


async def test_nothing_is_taken_back_where_nothing_was_written(inner, clock):
    deltas = WrittenDeltas()

    await retrying(inner(ModelUnavailable(), "at last"), clock).respond(REQUEST, deltas)

    assert deltas.rewinds == 0


async def test_the_last_attempts_text_is_left_to_the_caller(inner, clock):
    model = inner(ModelRejected(), text="half")
    deltas = WrittenDeltas()

    with pytest.raises(ModelRejected):
        await retrying(model, clock).respond(REQUEST, deltas)

    assert (deltas.rewinds, deltas.pieces) == (0, ["half"])


async def test_closing_closes_what_is_inside(inner, clock):
    model = inner()

    await retrying(model, clock).close()

    assert model.closed
