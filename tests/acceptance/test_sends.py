"""Sends through the whole system: producer, Redis, worker processes, Postgres."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import psycopg
import pytest

from powerloop import AsyncPowerLoop, SendStatus
from powerloop.testing.wire import WireProcess

pytestmark = pytest.mark.acceptance

PRODUCER = """
import sys, asyncio
from powerloop import AsyncPowerLoop
from powerloop.kernel.events import TextDelta

async def main():
    async with AsyncPowerLoop.from_env() as loop:
        session = await loop.create_session("demo")
        handle = await loop.send(session.id, "My name is Ada.")
        text = "".join([e.body.text async for e in handle.events() if isinstance(e.body, TextDelta)])
        result = await handle.result(timeout=30)
        assert result.ok and text == result.text, (result, text)
        assert not any(name.startswith(("celery.worker", "acceptance_agents")) for name in sys.modules)
        print(result.text)

asyncio.run(main())
"""


async def test_a_producer_that_never_saw_the_agents_gets_deltas_and_result(system, run_script):
    system.start_worker()
    done = await asyncio.to_thread(run_script, PRODUCER)
    assert done.returncode == 0, done.stderr
    assert "Ada" in done.stdout


@pytest.mark.parametrize("pool", ["solo", "prefork"])
async def test_the_same_tasks_run_in_celerys_own_pools(system, loop: AsyncPowerLoop, pool: str):
    system.start_worker(pool=pool, concurrency=2)
    session = await loop.create_session("echo")
    results = [await (await loop.send(session.id, text)).result(timeout=30) for text in ("one", "two")]
    assert [result.text for result in results] == ["one", "two"]


@pytest.mark.takes("machine")
async def test_two_workers_keep_the_order_of_every_session_and_lose_nothing(system, loop: AsyncPowerLoop):
    workers = [system.start_worker(), system.start_worker()]
    sessions = [(await loop.create_session("echo")).id for _ in range(20)]
    handles = await asyncio.gather(
        *(loop.send(session, f"{session} {number}") for session in sessions for number in range(25))
    )
    results = await asyncio.gather(*(handle.result(timeout=90) for handle in handles))
    assert {result.status for result in results} == {SendStatus.COMPLETED}
    owners = set()
    for session in sessions:
        sends = sorted(await loop.list_sends(session_id=session), key=lambda send: send.position)
        messages = await loop.messages(session)
        asked = [send.text for send in sends]
        assert [send.position for send in sends] == list(range(1, 26))
        assert {send.attempt for send in sends} == {1}
        assert [message.seq for message in messages] == list(range(1, 51))
        assert [message.text for message in messages[0::2]] == asked
        assert [message.text for message in messages[1::2]] == asked
        assert [message.send_id for message in messages[0::2]] == [send.id for send in sends]
        owners |= {send.owner for send in sends}
    assert len(owners) == len(workers)


async def test_a_worker_whose_epoch_was_raised_writes_nothing_more(system, loop: AsyncPowerLoop, eventually):
    with WireProcess(latency=timedelta(milliseconds=1500)) as wire:
        worker = system.start_worker(**wire.environ)
        session = await loop.create_session("wired")
        handle = await loop.send(session.id, "hello")
        await eventually(lambda: _is(handle, SendStatus.RUNNING), "the send runs")
        with psycopg.connect(system.settings.database_url, autocommit=True) as connection:
            connection.execute("UPDATE powerloop.sessions SET epoch = epoch + 1 WHERE id = %s", [session.id])
        await eventually(lambda: "send fenced" in worker.output(), "the worker is fenced")
    assert [message.role for message in await loop.messages(session.id)] == ["user"]
    assert await handle.status() is SendStatus.RUNNING


@pytest.mark.takes("machine")
async def test_one_process_holds_five_hundred_model_calls_in_flight_in_little_memory(system, loop):
    # So slow that the first answer comes after the last question, on a machine that has other things to do.
    with WireProcess(latency=timedelta(seconds=15)) as wire:
        worker = system.start_worker(concurrency=500, **wire.environ)
        sessions = await asyncio.gather(*(loop.create_session("wired") for _ in range(500)))
        handles = await asyncio.gather(*(loop.send(session.id, "hello") for session in sessions))
        results = await asyncio.gather(*(handle.result(timeout=100) for handle in handles))
        assert wire.stats().peak == 500
    assert {result.status for result in results} == {SendStatus.COMPLETED}
    assert worker.rss_mb() < 200


async def test_a_send_that_was_committed_but_never_published_is_a_row(
    system, loop: AsyncPowerLoop, run_script
):
    died = await asyncio.to_thread(
        run_script,
        """
import asyncio, os
from powerloop import AsyncPowerLoop

async def main():
    async with AsyncPowerLoop.from_env() as loop:
        session = await loop.create_session("echo", id="orphan")
        loop._producer._dispatcher.publish = lambda activations: os._exit(9)
        await loop.send(session.id, "hello")

asyncio.run(main())
""",
    )
    assert died.returncode == 9
    [send] = await loop.list_sends(session_id="orphan")
    assert (send.status, send.position) == (SendStatus.QUEUED, 1)


async def _is(handle, status: SendStatus) -> bool:
    return await handle.status() is status


async def test_a_send_goes_through_rabbitmq_as_well(system, rabbitmq_url):
    system.settings = system.settings.model_copy(update={"broker_url": rabbitmq_url})
    system.start_worker(POWERLOOP_BROKER_URL=rabbitmq_url)
    async with AsyncPowerLoop.from_env(system.settings) as loop:
        session = await loop.create_session("echo")
        handles = [await loop.send(session.id, text) for text in ("one", "two", "three")]
        results = [await handle.result(timeout=30) for handle in handles]
    assert [result.text for result in results] == ["one", "two", "three"]


async def test_the_command_line_follows_a_send_to_its_end(system, loop: AsyncPowerLoop):
    system.start_worker()
    await loop.create_session("demo", id="ada")
    command = [
        sys.executable,
        "-m",
        "powerloop",
        "send",
        "ada",
        "My name is Ada.",
        "--follow",
        "--timeout",
        "30",
    ]
    done = await asyncio.to_thread(
        subprocess.run, command, env=system.environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Nice to meet you, Ada!" in done.stdout) == (0, True), done.stderr
