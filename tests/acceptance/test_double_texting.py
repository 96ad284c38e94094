"""Inputs that arrive while a send runs, from another process: what each policy makes of them."""

import asyncio
from datetime import timedelta

import pytest

from powerloop import SendStatus
from powerloop.kernel.events import TextDelta
from powerloop.testing.wire import Reply, WireCall, WireProcess

pytestmark = pytest.mark.acceptance

APP = '''
import asyncio, os
from pathlib import Path
from powerloop import Agent, tool

@tool(effect="read")
async def wait() -> str:
    """Wait until the test lets go."""
    while not Path(os.environ["LET_GO"]).exists():
        await asyncio.sleep(0.01)
    return "waited"

agent = Agent(name="writer", model="openai:gpt-test", tools=[wait])
'''

PRODUCER = """
from powerloop import PowerLoop
with PowerLoop.from_env() as loop:
    print(loop.send({session!r}, {text!r}, policy={policy!r}).id)
"""

WORDS = tuple(f"word{number} " for number in range(2_000))


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("endless", Reply(chunks=WORDS, pace=timedelta(milliseconds=20)))
        wire.on("slow tool", Reply(calls=(WireCall(name="wait"),)), Reply(text="Never mind."))
        yield wire


@pytest.fixture
def worker(system, wire):
    system.add_app("writing_agents", APP)
    let_go = str(system.folder / "let_go")
    return system.start_worker(POWERLOOP_APP="writing_agents", LET_GO=let_go, **wire.environ)


@pytest.fixture
def send_elsewhere(run_script, loop):
    """Sends from a process of its own; the handle of what it sent."""

    async def send(session, text, policy):
        source = PRODUCER.format(session=session.id, text=text, policy=policy)
        done = await asyncio.to_thread(run_script, source)
        assert done.returncode == 0, done.stderr
        return await loop.get_send(done.stdout.strip())

    return send


async def test_a_steer_from_another_process_reaches_the_running_send_at_its_next_round(
    system, loop, worker, wire, send_elsewhere, eventually
):
    session = await loop.create_session("writer")
    first = await loop.send(session.id, "Use the slow tool.")
    await eventually(lambda: len(wire.requests()) == 1, "the model asks for the tool", within=20)
    steer = await send_elsewhere(session, "In French, please.", "steer")
    (system.folder / "let_go").touch()
    assert (await first.result(timeout=20)).ok
    assert (await steer.result(timeout=20)).status is SendStatus.MERGED
    roles = [(str(message.role), message.text) for message in await loop.messages(session.id)]
    assert [role for role, _ in roles] == ["user", "assistant", "tool", "user", "assistant"]
    assert roles[3] == ("user", "In French, please.")
    assert len(wire.requests()) == 2


async def test_a_steer_of_an_idle_session_is_a_plain_send(loop, worker, wire, send_elsewhere):
    session = await loop.create_session("writer")
    steer = await send_elsewhere(session, "Hello.", "steer")
    assert (await steer.result(timeout=20)).status is SendStatus.COMPLETED


@pytest.mark.parametrize("policy", ["interrupt", "rollback"])
async def test_an_interruption_in_mid_stream_goes_on_with_the_new_input(
    loop, worker, wire, send_elsewhere, policy
):
    session = await loop.create_session("writer")
    first = await loop.send(session.id, "Write something endless.")
    await seen(first, 5)
    second = await send_elsewhere(session, "Stop. How are you?", policy)
    # The producer took a second of its own to start.
    assert (await second.result(timeout=10)).ok
    cut = await first.result(timeout=5)
    assert cut.status is SendStatus.CANCELLED
    assert "".join(WORDS).startswith(cut.text)
    asked = wire.requests()[-1].body["messages"]
    texts = [message["content"] for message in asked if message["role"] == "user"]
    assert len(texts) == (2 if policy == "interrupt" else 1)
    assert len(await loop.messages(session.id)) == 4


async def test_a_busy_session_refuses_what_will_not_wait(loop, worker, wire):
    session = await loop.create_session("writer")
    first = await loop.send(session.id, "Write something endless.")
    await seen(first, 2)
    with pytest.raises(Exception, match="have not ended"):
        await loop.send(session.id, "And now?", policy="reject")
    await first.cancel()


async def seen(send, count):
    """Return once the reader has seen so many pieces of text."""
    async for event in send.events():
        if isinstance(event.body, TextDelta):
            count -= 1
            if not count:
                return
