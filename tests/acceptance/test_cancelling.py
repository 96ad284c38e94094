"""Ending sends on request: from another process, wherever they are."""

import asyncio
from datetime import datetime, timedelta

import pytest

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.kernel.endings import CUT_OFF_NOTE
from powerloop.kernel.events import SendEnded, TextDelta
from powerloop.kernel.sends import CancelEffect
from powerloop.testing.wire import Reply, WireCall, WireProcess

pytestmark = pytest.mark.acceptance

APP = '''
import asyncio, time
from powerloop import Agent, tool

@tool(effect="read")
async def wait() -> str:
    """Wait on the event loop."""
    await asyncio.sleep(60)
    return "waited"

@tool(effect="read")
def block() -> str:
    """Wait in a thread."""
    time.sleep(60)
    return "blocked"

agent = Agent(name="writer", model="openai:gpt-test", tools=[wait, block])
'''

CANCELLER = """
import asyncio, sys
from datetime import UTC, datetime
from powerloop import AsyncPowerLoop

async def main():
    async with AsyncPowerLoop.from_env() as loop:
        asked_at = datetime.now(UTC)
        [cancellation] = await loop.cancel({send_id!r}, reason="too long", actor="the editor")
        print(asked_at.isoformat(), cancellation.effect)

asyncio.run(main())
"""

WORDS = tuple(f"word{number} " for number in range(2_000))


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("endless", Reply(chunks=WORDS, pace=timedelta(milliseconds=20)))
        wire.on("tools", Reply(calls=(WireCall(name="wait"), WireCall(name="block"))))
        yield wire


@pytest.fixture
def worker(system, wire):
    system.add_app("writing_agents", APP)
    return system.start_worker(POWERLOOP_APP="writing_agents", **wire.environ)


async def test_a_cancel_from_another_process_cuts_the_stream_and_keeps_what_was_written(
    loop: AsyncPowerLoop, worker, wire, run_script
):
    session = await loop.create_session("writer")
    first = await loop.send(session.id, "Write something endless.")
    second = await loop.send(session.id, "And now?")
    await seen(first, 5)
    cancelled = await asyncio.to_thread(run_script, CANCELLER.format(send_id=first.id))
    assert cancelled.returncode == 0, cancelled.stderr
    asked_at, effect = cancelled.stdout.split()
    assert effect == CancelEffect.REQUESTED
    result = await first.result(timeout=10)
    assert result.status is SendStatus.CANCELLED
    assert result.text
    assert "".join(WORDS).startswith(result.text)
    request = wire.requests()[0]
    assert request.cut_at is not None
    assert request.cut_at - datetime.fromisoformat(asked_at) < timedelta(milliseconds=500)
    send = await first.refresh()
    assert send.cancel is not None
    assert (send.cancel.reason, send.cancel.actor) == ("too long", "the editor")
    # The session goes on at once, with what was written in its log.
    assert (await second.result(timeout=10)).ok
    messages = await loop.messages(session.id)
    assert [str(message.role) for message in messages] == ["user", "assistant", "user", "assistant"]
    assert (messages[1].text, messages[1].metadata) == (result.text, {"finish": "cancelled"})


async def test_a_reader_sees_how_a_cancelled_answer_ends(loop: AsyncPowerLoop, worker):
    session = await loop.create_session("writer")
    send = await loop.send(session.id, "Write something endless.")
    text, count = "", 0
    async for event in send.events():
        if isinstance(event.body, TextDelta):
            text += event.body.text
            count += 1
            if count == 3:
                await send.cancel(reason="seen enough")
        if isinstance(event.body, SendEnded):
            assert event.body.status is SendStatus.CANCELLED
    assert text == (await send.result()).text


async def test_tools_are_cut_off_with_a_note(loop: AsyncPowerLoop, worker, eventually):
    session = await loop.create_session("writer")
    send = await loop.send(session.id, "Use your tools.")
    await eventually(lambda: has_called(loop, session.id), "the tools are called")
    [cancellation] = await loop.cancel(send.id)
    assert cancellation.effect is CancelEffect.REQUESTED
    assert (await send.result(timeout=10)).status is SendStatus.CANCELLED
    results = (await loop.messages(session.id))[-1]
    assert [block.text for block in results.content] == [CUT_OFF_NOTE] * 2
    await eventually(lambda: "tool thread abandoned" in worker.output(), "the thread is left behind")
    assert (await (await loop.send(session.id, "Still there?")).result(timeout=10)).ok


async def test_a_cancel_of_a_session_leaves_none_of_its_sends_running(loop: AsyncPowerLoop, worker):
    session = await loop.create_session("writer")
    sends = [await loop.send(session.id, f"Write something endless, {n}.") for n in range(5)]
    await seen(sends[0], 1)
    cancellations = await loop.cancel(session_id=session.id, reason="closing")
    effects = {cancellation.send_id: cancellation.effect for cancellation in cancellations}
    assert effects == {
        sends[0].id: CancelEffect.REQUESTED,
        **{send.id: CancelEffect.CANCELLED for send in sends[1:]},
    }
    results = [await send.result(timeout=10) for send in sends]
    assert {result.status for result in results} == {SendStatus.CANCELLED}
    # Those that had not started left no trace in the log, and the session takes the next one.
    assert [str(message.role) for message in await loop.messages(session.id)] == ["user", "assistant"]
    assert (await (await loop.send(session.id, "Hello?")).result(timeout=10)).ok


async def test_a_cancel_of_a_send_that_nobody_knows_yet_or_any_more(loop: AsyncPowerLoop, worker, wire):
    session = await loop.create_session("writer")
    done = await loop.send(session.id, "Hello?")
    assert (await done.result(timeout=10)).ok
    [ended] = await loop.cancel(done.id)
    assert (ended.effect, (await done.refresh()).cancel) == (CancelEffect.ENDED, None)
    [remembered] = await loop.cancel("the-next-one", reason="changed my mind")
    assert remembered.effect is CancelEffect.REMEMBERED
    asked = len(wire.requests())
    unwanted = await loop.send(session.id, "Never mind.", id="the-next-one")
    assert (await unwanted.result(timeout=10)).status is SendStatus.CANCELLED
    assert (await unwanted.refresh()).cancel.reason == "changed my mind"
    assert len(wire.requests()) == asked


async def seen(send: SendHandle, deltas: int) -> None:
    """Return once the send has streamed so many pieces of text."""
    async for event in send.events():
        deltas -= isinstance(event.body, TextDelta)
        if deltas <= 0:
            return


async def has_called(loop: AsyncPowerLoop, session_id: str) -> bool:
    return len(await loop.messages(session_id)) == 2
