"""`AsyncPowerLoop.local`: the whole face in one process, on SQLite and in memory."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from powerloop import Agent, AsyncPowerLoop, PowerLoop, tool
from powerloop.kernel.errors import (
    InvalidInput,
    ResultTimeout,
    SendNotFound,
    SessionBusy,
    SessionClosed,
    SessionExists,
    SessionNotFound,
    StoreUnavailable,
)
from powerloop.kernel.events import SendEnded, TextDelta
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.sessions import SessionStatus
from powerloop.store.memory.recovery import MemoryRecovery

ECHO = Agent(name="echo", model="scripted:echo")


@tool(effect="read")
async def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order.

    Args:
        order_id: The number on the receipt.
    """
    return {"order_id": order_id, "state": "on its way"}


DEMO = Agent(name="demo", model="scripted:demo", tools=[lookup_order])


@pytest.fixture(params=["memory", "sqlite"])
async def loop(request, tmp_path):
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    async with AsyncPowerLoop.local(path, agents=[ECHO, DEMO]) as loop:
        yield loop


async def test_a_send_is_answered(loop):
    session = await loop.create_session("echo")
    result = await (await loop.send(session.id, "hello")).result(timeout=10)
    assert (result.ok, result.text, result.rounds) == (True, "hello", 1)
    assert [(message.seq, message.role, message.text) for message in await loop.messages(session.id)] == [
        (1, "user", "hello"),
        (2, "assistant", "hello"),
    ]


async def test_a_session_remembers_and_calls_tools(loop):
    session = await loop.create_session("demo")
    await loop.send(session.id, "My name is Ada.")
    remembered = await (await loop.send(session.id, "What is my name?")).result(timeout=10)
    assert "Ada" in remembered.text
    looked_up = await (await loop.send(session.id, "Where is order A-17?")).result(timeout=10)
    assert "on its way" in looked_up.text
    assert looked_up.rounds == 2


async def test_the_deltas_of_a_send_are_its_text(loop):
    session = await loop.create_session("demo")
    handle = await loop.send(session.id, "Hello!")
    events = [event async for event in handle.events()]
    text = "".join(event.body.text for event in events if isinstance(event.body, TextDelta))
    assert text == (await handle.result()).text
    assert isinstance(events[-1].body, SendEnded)
    assert [event.offset for event in events] == list(range(len(events)))


async def test_many_sends_to_one_session_keep_their_order(loop):
    session = await loop.create_session("echo")
    handles = [await loop.send(session.id, str(number)) for number in range(30)]
    await handles[-1].result(timeout=30)
    answers = [message.text for message in await loop.messages(session.id) if message.role == "assistant"]
    assert answers == [str(number) for number in range(30)]


async def test_the_same_key_is_the_same_send(loop):
    session = await loop.create_session("echo")
    handles = await asyncio.gather(
        *(loop.send(session.id, f"try {number}", idempotency_key="msg-1") for number in range(10))
    )
    assert len({handle.id for handle in handles}) == 1
    await handles[0].result(timeout=10)
    assert len(await loop.messages(session.id)) == 2


async def test_a_result_that_does_not_come_in_time_is_said_so_and_the_send_goes_on(loop):
    session = await loop.create_session("demo")
    handle = await loop.send(session.id, "Hello!")
    with pytest.raises(ResultTimeout, match="it goes on"):
        await handle.result(timeout=0.01)
    assert (await handle.result(timeout=10)).ok


async def test_a_watcher_of_a_session_sees_each_message_once(loop):
    session = await loop.create_session("echo")
    await (await loop.send(session.id, "one")).result(timeout=10)
    seen = []
    async with asyncio.timeout(10):
        async for message in loop.follow(session.id):
            seen.append((message.seq, message.text))
            if len(seen) == 2:
                await loop.send(session.id, "two")
            if len(seen) == 4:
                break
    assert seen == [(1, "one"), (2, "one"), (3, "two"), (4, "two")]


async def test_wrong_use_is_answered_in_words(loop):
    session = await loop.create_session("echo", id="taken")
    with pytest.raises(SessionExists, match="'taken' exists already"):
        await loop.create_session("echo", id="taken")
    with pytest.raises(SessionNotFound, match="no session 'nowhere'"):
        await loop.send("nowhere", "hello")
    with pytest.raises(SessionNotFound):
        await loop.messages("nowhere")
    with pytest.raises(SendNotFound, match="no send 'nothing'"):
        await loop.get_send("nothing")
    with pytest.raises(InvalidInput, match="Did you mean 'reject'"):
        await loop.send(session.id, "hello", policy="rejct")
    with pytest.raises(InvalidInput, match="priority is a number from 0 to 9"):
        await loop.send(session.id, "hello", priority=10)
    with pytest.raises(InvalidInput, match="the input is empty"):
        await loop.send(session.id, [])
    assert await loop.list_sends() == []


async def test_an_agent_that_nobody_runs_is_refused_with_the_nearest_name(loop):
    with pytest.raises(Exception, match="Did you mean 'echo'") as raised:
        await loop.create_session("ehco")
    assert raised.value.code == "agent.unknown"


async def test_a_closed_session_refuses_and_a_busy_one_may_be_asked_to(loop):
    session = await loop.create_session("demo")
    handle = await loop.send(session.id, "Hello!")
    with pytest.raises(SessionBusy):
        await loop.send(session.id, "again", policy="reject")
    with pytest.raises(SessionBusy):
        await loop.delete_session(session.id)
    closed = await loop.close_session(session.id)
    assert closed.status is SessionStatus.CLOSED
    with pytest.raises(SessionClosed):
        await loop.send(session.id, "again")
    assert (await handle.result(timeout=10)).ok
    await loop.delete_session(session.id)
    with pytest.raises(SessionNotFound):
        await loop.get_session(session.id)


async def test_metadata_finds_a_session(loop):
    await loop.create_session("echo", id="a", metadata={"customer": "42"})
    await loop.create_session("echo", id="b", metadata={"customer": "43"})
    await loop.update_session("b", metadata={"customer": "44"})
    assert [session.id for session in await loop.list_sessions(metadata={"customer": "44"})] == ["b"]


async def test_what_was_queued_when_the_process_stopped_goes_on_at_the_next_start(tmp_path):
    path = tmp_path / "app.db"
    async with AsyncPowerLoop.local(path, agents=[DEMO]) as loop:
        session = await loop.create_session("demo")
        first = await loop.send(session.id, "Hello!")
        second = await loop.send(session.id, "My name is Ada.")
    async with AsyncPowerLoop.local(path, agents=[DEMO]) as loop:
        results = [await (await loop.get_send(handle.id)).result(timeout=10) for handle in (first, second)]
        assert all(result.ok for result in results)
        assert (await loop.get_send(first.id)).send.attempt == 1
        assert [message.seq for message in await loop.messages(session.id)] == [1, 2, 3, 4]


async def test_what_ran_when_the_process_was_killed_goes_on_at_the_next_start(tmp_path):
    path = tmp_path / "app.db"
    source = """
import asyncio, sys, time
from powerloop import Agent, AsyncPowerLoop

async def main():
    async with AsyncPowerLoop.local(sys.argv[1], agents=[Agent(name="demo", model="scripted:demo")]) as loop:
        session = await loop.create_session("demo", id="s")
        handle = await loop.send(session.id, "My name is Ada.")
        async for event in handle.events():
            if event.type == "text.delta":
                print(handle.id, flush=True)
                # Nothing else of this process runs on: the answer is not finished.
                time.sleep(60)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    send_id = await asyncio.to_thread(process.stdout.readline)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    async with AsyncPowerLoop.local(path, agents=[DEMO]) as loop:
        handle = await loop.get_send(send_id.strip())
        assert handle.send.status is SendStatus.RUNNING
        assert (await handle.result(timeout=30)).ok
        assert handle.send.attempt == 2
        assert len(await loop.messages("s")) == 2


def test_the_blocking_face_does_the_same(tmp_path):
    with PowerLoop.local(tmp_path / "app.db", agents=[DEMO]) as loop:
        session = loop.create_session("demo")
        handle = loop.send(session.id, "My name is Ada.")
        text = "".join(event.body.text for event in handle.events() if isinstance(event.body, TextDelta))
        assert handle.result(timeout=10).text == text
        assert handle.status() is SendStatus.COMPLETED
        assert [message.role for message in loop.messages(session.id)] == ["user", "assistant"]
        with pytest.raises(SessionNotFound):
            loop.send("nowhere", "hello")


async def test_a_loop_that_cannot_be_opened_leaves_no_heartbeat_behind(monkeypatch):
    async def away(self, age, priorities, limit):
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(MemoryRecovery, "overdue", away)
    loop = AsyncPowerLoop.local(":memory:", agents=[ECHO])
    with pytest.raises(StoreUnavailable):
        await loop.__aenter__()
    assert [thread for thread in threading.enumerate() if thread.name == "powerloop-heartbeat"] == []
