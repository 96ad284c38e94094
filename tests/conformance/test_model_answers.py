"""How every model answers, whoever it is: scripted, or a real SDK on a real socket."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from powerloop.kernel.messages import ReasoningBlock, calls_of, text_of
from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.usage import CallOutcome
from powerloop.testing.model_providers import (
    PATIENT,
    USAGE,
    Answer,
    ToldProvider,
    WireProvider,
    WrittenDeltas,
    make_request,
)
from powerloop.testing.wire import WireServer


async def test_an_answer_has_its_text_finish_usage_and_entry(
    provider: ToldProvider, written: WrittenDeltas | None
):
    provider.will(Answer(text="It is on its way."))

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert text_of(reply.content) == "It is on its way."
    assert reply.finish is FinishReason.STOP
    assert reply.usage == USAGE
    (entry,) = reply.attempts
    assert (entry.outcome, entry.usage, entry.model) == (CallOutcome.OK, USAGE, provider.name)
    assert not entry.estimated


async def test_deltas_concatenate_to_the_text(provider: ToldProvider):
    provider.will(Answer(text="It is on\nits  way — naïvely.", reasoning="Let me see."))
    written = WrittenDeltas()

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert len(written.pieces) > 1
    assert "".join(written.pieces) == text_of(reply.content) == "It is on\nits  way — naïvely."
    assert "".join(written.reasons) == "Let me see."
    assert written.rewinds == 0


async def test_calls_come_with_their_arguments_and_ids_of_their_own(
    provider: ToldProvider, written: WrittenDeltas | None
):
    provider.will(
        Answer(
            text="I look.",
            calls=(("find_order", {"order_id": "A-17"}), ("find_order", {"order_id": "Ä-18"}), ("now", {})),
        )
    )

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    calls = calls_of(reply.content)
    assert reply.finish is FinishReason.TOOL_CALLS
    assert [(call.name, dict(call.arguments)) for call in calls] == [
        ("find_order", {"order_id": "A-17"}),
        ("find_order", {"order_id": "Ä-18"}),
        ("now", {}),
    ]
    assert len({call.id for call in calls} - {""}) == 3
    assert [block.type for block in reply.content] == ["text", "tool_call", "tool_call", "tool_call"]


async def test_reasoning_stands_before_the_text(provider: ToldProvider, written: WrittenDeltas | None):
    provider.will(Answer(text="Yes.", reasoning="Hm, let me think."))

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert [block.type for block in reply.content] == ["reasoning", "text"]
    assert isinstance(reply.content[0], ReasoningBlock)
    assert reply.content[0].text == "Hm, let me think."


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.REFUSAL])
async def test_an_answer_cut_off_or_declined_is_handed_on_as_it_is(
    provider: ToldProvider, written: WrittenDeltas | None, finish: FinishReason
):
    provider.will(Answer(text="I", finish=finish))

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert (text_of(reply.content), reply.finish, len(reply.attempts)) == ("I", finish, 1)


async def test_a_cut_answer_may_be_empty(provider: ToldProvider, written: WrittenDeltas | None):
    provider.will(Answer(finish=FinishReason.LENGTH))

    reply = await provider.model(PATIENT).respond(make_request(provider.name), written)

    assert (text_of(reply.content), reply.finish, len(reply.attempts)) == ("", FinishReason.LENGTH, 1)


async def test_a_cancelled_call_ends_at_once(
    provider: ToldProvider, written: WrittenDeltas | None, powerloop_wire: WireServer, eventually: Callable
):
    provider.will(Answer(text="never", delay=timedelta(seconds=30)))
    task = asyncio.create_task(provider.model(PATIENT).respond(make_request(provider.name), written))
    if isinstance(provider, WireProvider):
        await eventually(lambda: powerloop_wire.in_flight == 1, "the request arrives")

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: powerloop_wire.in_flight == 0, "the provider sees the hang-up")


async def test_one_model_serves_many_coroutines(provider: ToldProvider):
    provider.will(Answer(text="yes", delay=timedelta(milliseconds=50)))
    model = provider.model(PATIENT)

    replies = await asyncio.gather(*(model.respond(make_request(provider.name)) for _ in range(50)))

    assert {text_of(reply.content) for reply in replies} == {"yes"}
