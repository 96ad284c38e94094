"""Tools with a queue of their own, on workers of their own: whatever dies, each call comes to its end."""

import asyncio
from datetime import timedelta

import pytest

from powerloop import SendStatus
from powerloop.testing.wire import Reply, WireCall, WireProcess

pytestmark = pytest.mark.acceptance

APP = '''
import asyncio, os
from datetime import timedelta
from pathlib import Path

from powerloop import Agent, ToolContext, tool
from powerloop.tools import sleep

folder = Path(os.environ["FOLDER"])

@tool(effect="read", queue="browser")
async def browse(context: ToolContext) -> str:
    """Browse, once there is a page."""
    (folder / f"{context.send_id}.{os.getpid()}").touch()
    while not (folder / "page").exists():
        await asyncio.sleep(0.02)
    return f"seen by {os.getpid()} in attempt {context.attempt}"

agent = Agent(name="surfer", model="openai:gpt-test", tools=[browse, sleep(longest=timedelta(minutes=1))])
'''

#: Everything but the queue of the tool.
BASE_QUEUES = "powerloop.send,powerloop.subagent,powerloop.enqueue"


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("browse", Reply(calls=(WireCall(name="browse"),)), Reply(text="Browsed."))
        wire.on("nap", Reply(calls=(WireCall(name="sleep", arguments={"seconds": 1.5}),)), Reply(text="Up."))
        wire.on("hello", Reply(text="Hello."))
        yield wire


@pytest.fixture
def environ(system, wire, tmp_path):
    system.add_app("surfing", APP)
    (tmp_path / "seen").mkdir()
    short = {"POWERLOOP_LEASE_TTL": "2", "POWERLOOP_LOCK_TTL": "2"}
    return {**wire.environ, **short, "POWERLOOP_APP": "surfing", "FOLDER": str(tmp_path / "seen")}


@pytest.fixture
def begun(tmp_path, eventually):
    """Waits until so many processes have begun calls of a send."""

    async def wait(send, count=1):
        def there():
            return len(list((tmp_path / "seen").glob(f"{send.id}.*"))) >= count

        await eventually(there, f"{count} processes have begun", within=30)

    return wait


async def sent(loop, text):
    session = await loop.create_session("surfer")
    return await loop.send(session.id, text)


async def result_of(loop, send):
    messages = await loop.messages(send.session_id)
    (block,) = next(message.content for message in messages if message.role == "tool")
    return block.text


async def test_a_call_runs_where_its_queue_is_served_and_holds_no_slot_of_its_send(
    system, loop, environ, begun, tmp_path
):
    system.start_beat()
    system.start_worker(concurrency=1, queues=BASE_QUEUES, **environ)
    browser = system.start_worker(queues="browser", **environ)
    send = await sent(loop, "Please browse.")
    await begun(send)
    assert await send.status() is SendStatus.WAITING
    # The one slot for sends is free.
    assert (await (await sent(loop, "hello")).result(timeout=30)).text == "Hello."
    (tmp_path / "seen" / "page").touch()
    assert (await send.result(timeout=30)).text == "Browsed."
    assert await result_of(loop, send) == f"seen by {browser.pid} in attempt 1"


async def test_a_killed_workers_call_runs_again_on_another(system, loop, environ, begun, tmp_path):
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    system.start_worker(queues=BASE_QUEUES, **environ)
    first = system.start_worker(queues="browser", **environ)
    send = await sent(loop, "Please browse.")
    await begun(send)
    second = system.start_worker(queues="browser", **environ)
    first.kill()
    await begun(send, 2)
    (tmp_path / "seen" / "page").touch()
    assert (await send.result(timeout=30)).status is SendStatus.COMPLETED
    assert await result_of(loop, send) == f"seen by {second.pid} in attempt 2"


async def test_a_cancel_cuts_a_call_off_wherever_it_runs(system, loop, environ, begun, eventually):
    system.start_beat()
    system.start_worker(queues=BASE_QUEUES, **environ)
    browser = system.start_worker(queues="browser", **environ)
    send = await sent(loop, "Please browse.")
    await begun(send)
    await loop.cancel(send.id, reason="never mind")
    assert (await send.result(timeout=30)).status is SendStatus.CANCELLED
    await eventually(lambda: "tool task cut off" in browser.output(), "the call is cut off")


async def test_calls_wait_for_a_worker_that_serves_their_queue(system, loop, environ, tmp_path):
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    system.start_worker(queues=BASE_QUEUES, **environ)
    (tmp_path / "seen" / "page").touch()
    send = await sent(loop, "Please browse.")
    while await send.status() is not SendStatus.WAITING:
        await asyncio.sleep(0.02)
    explained = await loop.explain(send.id)
    assert explained.code == "waits_for_tool"
    assert "browser" in explained.text
    system.start_worker(queues="browser", **environ)
    assert (await send.result(timeout=30)).text == "Browsed."


async def test_a_send_sleeps_as_a_row_through_a_restart_of_everything(system, loop, environ, eventually):
    worker = system.start_worker(**environ)
    send = await sent(loop, "Take a nap.")

    async def sleeps():
        return await send.status() is SendStatus.WAITING

    await eventually(sleeps, "the send sleeps", within=30)
    assert (await loop.explain(send.id)).code == "waits_for_time"
    worker.kill()
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    system.start_worker(**environ)
    result = await send.result(timeout=30)
    assert result.text == "Up."
    ended = await (await loop.get_send(send.id)).refresh()
    assert ended.ended_at - ended.started_at >= timedelta(seconds=1.5)
