"""How every model fails, and what is tried again."""

from datetime import timedelta

import pytest

from powerloop.kernel.errors import (
    EmptyAnswer,
    ModelDeadline,
    ModelError,
    ModelRejected,
    ModelUnauthorized,
    ModelUnavailable,
    RateLimited,
)
from powerloop.kernel.messages import text_of
from powerloop.kernel.usage import CallOutcome
from powerloop.testing.model_providers import (
    IMPATIENT,
    PATIENT,
    USAGE,
    Answer,
    ToldProvider,
    WrittenDeltas,
    make_request,
)


@pytest.mark.parametrize("kind", [ModelRejected, ModelUnauthorized])
async def test_a_permanent_error_is_raised_at_once(
    provider: ToldProvider, written: WrittenDeltas | None, kind: type[ModelError]
):
    provider.will(Answer(text="too late"), failing=(kind.code,))

    with pytest.raises(kind) as raised:
        await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert [(e.outcome, e.error_code) for e in raised.value.attempts] == [(CallOutcome.FAILED, kind.code)]


@pytest.mark.parametrize("kind", [RateLimited, ModelUnavailable])
async def test_a_transient_error_is_tried_again(
    provider: ToldProvider, written: WrittenDeltas | None, kind: type[ModelError]
):
    provider.will(Answer(text="Here it is."), failing=(kind.code, kind.code))

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert text_of(reply.content) == "Here it is."
    assert [entry.error_code for entry in reply.attempts] == [kind.code, kind.code, None]
    if written:
        assert "".join(written.pieces) == "Here it is."


async def test_an_error_that_outlasts_the_patience_is_raised_with_every_attempt(provider: ToldProvider):
    provider.will(Answer(), failing=("model.unavailable",) * 5)

    with pytest.raises(ModelUnavailable) as raised:
        await provider.model(PATIENT).respond(make_request(provider.name))

    assert [entry.error_code for entry in raised.value.attempts] == ["model.unavailable"] * 3


async def test_a_rate_limit_longer_than_the_deadline_is_not_waited_for(provider: ToldProvider):
    provider.retry_after = timedelta(seconds=60)
    provider.will(Answer(text="too late"), failing=("model.rate_limited",))

    with pytest.raises(ModelDeadline) as raised:
        await provider.model(PATIENT).respond(make_request(provider.name, deadline_s=30))

    limit = raised.value.__cause__
    assert isinstance(limit, RateLimited)
    assert limit.retry_after == timedelta(seconds=60)
    assert [entry.error_code for entry in raised.value.attempts] == ["model.rate_limited"]


async def test_a_broken_stream_is_unavailable_and_its_text_is_paid_for(provider: ToldProvider):
    provider.will(Answer(text="one two three four five six"), breaks=True)
    written = WrittenDeltas()

    with pytest.raises(ModelUnavailable) as raised:
        await provider.model(IMPATIENT).respond(make_request(provider.name), written)

    assert written.pieces
    assert written.rewinds == 0
    (entry,) = raised.value.attempts
    assert entry.usage.input_tokens > 0
    assert entry.usage.output_tokens > 0


async def test_a_broken_stream_begins_again_after_a_rewind(provider: ToldProvider):
    provider.will(Answer(text="one two three four five six"), breaks=True)
    written = WrittenDeltas()

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert written.rewinds == 1
    assert "".join(written.pieces) == text_of(reply.content) == "one two three four five six"
    assert [entry.error_code for entry in reply.attempts] == ["model.unavailable", None]


async def test_an_answer_that_says_nothing_is_an_error(provider: ToldProvider, written: WrittenDeltas | None):
    provider.will(Answer(text="", reasoning="I had better keep quiet."))

    with pytest.raises(EmptyAnswer) as raised:
        await provider.model(IMPATIENT).respond(make_request(provider.name), written)

    (entry,) = raised.value.attempts
    assert (entry.error_code, entry.usage) == ("model.empty", USAGE)


async def test_a_deadline_breaks_the_call_off(provider: ToldProvider, written: WrittenDeltas | None):
    provider.will(Answer(text="at last", delay=timedelta(seconds=30)))

    with pytest.raises(ModelDeadline) as raised:
        await provider.model(PATIENT).respond(make_request(provider.name, deadline_s=0.2), written)

    (entry,) = raised.value.attempts
    assert entry.usage.input_tokens > 0
    assert entry.latency < timedelta(seconds=5)
