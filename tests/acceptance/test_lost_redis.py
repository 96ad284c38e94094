"""Redis emptied and Redis away, under load: what was accepted is in Postgres, and so is what runs."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
import redis

from powerloop import AsyncPowerLoop, SendHandle, SendStatus, Session
from powerloop.embedded import RedisServer
from powerloop.kernel.errors import QueueUnavailable
from powerloop.kernel.queues import SEND_QUEUE
from powerloop.queue.routing import redis_list
from powerloop.testing.wire import Reply, WireProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

SLOW = "Take your time."
QUICK = "Be quick."

DOWN_FOR_S = 20.0


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def redis_url(own_redis: RedisServer) -> str:
    """In place of the Redis that all tests share."""
    return own_redis.url


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess() as wire:
        wire.on(SLOW, Reply(text="I took it.", delay=timedelta(seconds=5)))
        yield wire


async def test_a_flush_loses_no_queued_send_and_no_running_one_notices(
    wire, system, loop: AsyncPowerLoop, redis_url, eventually
):
    worker = system.start_worker(concurrency=50, **wire.environ)
    system.start_beat()
    sessions = await new_sessions(loop, 250)
    running = await send_each(loop, sessions[:50], SLOW)
    await eventually(lambda: wire.stats().in_flight == 50, "fifty run")
    queued = await send_each(loop, sessions[50:], QUICK)
    with redis.Redis.from_url(redis_url) as broker:
        assert broker.llen(redis_list(SEND_QUEUE, priority=0)) == 200
        broker.flushall()
    assert wire.stats().in_flight == 50
    await all_complete([*running, *queued], within=30)
    assert wire.stats().served == 250
    assert {send.attempt for send in await loop.list_sends(limit=1_000)} == {1}
    assert "session lock lost" not in worker.output()


async def test_an_outage_delays_sends_and_nothing_else(
    wire, system, loop: AsyncPowerLoop, own_redis, eventually
):
    system.start_worker(concurrency=20, **wire.environ)
    system.start_beat()
    sessions = await new_sessions(loop, 20)
    running = await send_each(loop, sessions, SLOW)
    behind = await send_each(loop, sessions, QUICK)
    await eventually(lambda: wire.stats().in_flight == 20, "twenty run")
    own_redis.kill()
    back_at = monotonic() + DOWN_FOR_S
    accepted = await accepted_without_queue(loop, 20)
    await refused_without_queue(loop)
    # What runs needs no broker, and who waits for it needs none either.
    await all_complete(running, within=10)
    while monotonic() < back_at:
        accepted += await accepted_without_queue(loop, 1)
        await asyncio.sleep(0.5)
    own_redis.start()
    await all_complete([*behind, *accepted], within=30)
    assert wire.stats().served == len(running) + len(behind) + len(accepted)
    assert {send.attempt for send in await loop.list_sends(limit=1_000)} == {1}


async def new_sessions(loop: AsyncPowerLoop, count: int) -> list[Session]:
    return await asyncio.gather(*(loop.create_session("wired") for _ in range(count)))


async def send_each(loop: AsyncPowerLoop, sessions: list[Session], text: str) -> list[SendHandle]:
    return await asyncio.gather(*(loop.send(session.id, text) for session in sessions))


async def accepted_without_queue(loop: AsyncPowerLoop, count: int) -> list[SendHandle]:
    """Sends that were accepted in good time, and are rows."""
    sessions = await new_sessions(loop, count)
    async with asyncio.timeout(3):
        handles = await send_each(loop, sessions, QUICK)
    assert {await handle.status() for handle in handles} == {SendStatus.QUEUED}
    return handles


async def refused_without_queue(loop: AsyncPowerLoop) -> None:
    [session] = await new_sessions(loop, 1)
    async with asyncio.timeout(3):
        with pytest.raises(QueueUnavailable):
            await loop.send(session.id, QUICK, queue_down="refuse")
    assert not await loop.list_sends(session_id=session.id)


async def all_complete(handles: list[SendHandle], within: float) -> None:
    results = await asyncio.gather(*(handle.result(timeout=within) for handle in handles))
    assert {result.status for result in results} == {SendStatus.COMPLETED}
