"""Connections to Redis that are open, and dead: workers notice, and take up work again."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from powerloop import AsyncPowerLoop, ResultTimeout, SendHandle, SendStatus
from powerloop.kernel.errors import QueueUnavailable
from powerloop.testing.proxy import FreezingProxy
from powerloop.testing.wire import Reply, WireProcess

pytestmark = pytest.mark.acceptance

SLOW = "Take your time."
QUICK = "Be quick."


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FreezingProxy]:
    with FreezingProxy(urlsplit(redis_url).port or 6379) as proxy:
        yield proxy


@pytest.fixture
def behind_proxy(redis_url: str, proxy: FreezingProxy) -> str:
    """The URL of Redis for those who reach it through the proxy."""
    return redis_url.replace(f":{urlsplit(redis_url).port}/", f":{proxy.port}/")


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess() as wire:
        wire.on(SLOW, Reply(text="I took it.", delay=timedelta(seconds=12)))
        yield wire


@pytest.fixture
async def running(system, loop: AsyncPowerLoop, wire, behind_proxy, eventually) -> list[SendHandle]:
    """What one worker is busy with, to its last place; another one has nothing to do, and a beat sweeps."""
    told = {**wire.environ, "POWERLOOP_REDIS_URL": behind_proxy}
    system.start_worker(concurrency=4, **told)
    system.start_beat(**told)
    running = [await send_to_new_session(loop, SLOW) for _ in range(4)]
    await eventually(lambda: wire.stats().in_flight == 4, "four run")
    system.start_worker(concurrency=4, **told)
    assert wire.stats().in_flight == 4
    return running


async def test_a_busy_and_an_idle_worker_outlast_a_network_that_swallows_everything(
    proxy, wire, system, loop: AsyncPowerLoop, behind_proxy, running, eventually
):
    proxy.freeze(new_ones=True)
    accepted = await send_without_queue(system, behind_proxy)
    # What runs needs no broker.
    await all_complete(running)
    proxy.thaw()
    sent = await send_until_two_workers_answer(loop, eventually)
    await all_complete([await loop.get_send(accepted), *sent])
    assert {send.attempt for send in await loop.list_sends(limit=1_000)} == {1}
    assert wire.stats().served == len(running) + 1 + len(sent)


async def send_without_queue(system, redis_url: str) -> str:
    """The id of a send that was accepted, in good time, by a client that does not reach the broker.

    Where it is to be refused, nothing is accepted.
    """
    settings = system.settings.model_copy(update={"redis_url": redis_url, "broker_url": redis_url})
    async with AsyncPowerLoop.from_env(settings) as loop:
        session = await loop.create_session("wired")
        async with asyncio.timeout(3):
            with pytest.raises(QueueUnavailable):
                await loop.send(session.id, QUICK, queue_down="refuse")
        assert not await loop.list_sends(session_id=session.id)
        async with asyncio.timeout(3):
            return (await loop.send(session.id, QUICK)).id


async def send_until_two_workers_answer(loop: AsyncPowerLoop, eventually) -> list[SendHandle]:
    """What was sent until each of the two had taken up something of it."""
    sent: list[SendHandle] = []

    async def two_have_answered() -> bool:
        sent.append(await send_to_new_session(loop, QUICK))
        with suppress(ResultTimeout):
            await sent[-1].result(timeout=0.5)
        return len({(await handle.refresh()).owner for handle in sent} - {None}) == 2

    await eventually(two_have_answered, "both workers work again", within=30)
    return sent


async def send_to_new_session(loop: AsyncPowerLoop, text: str) -> SendHandle:
    return await loop.send((await loop.create_session("wired")).id, text)


async def all_complete(handles: list[SendHandle]) -> None:
    results = await asyncio.gather(*(handle.result(timeout=30) for handle in handles))
    assert {result.status for result in results} == {SendStatus.COMPLETED}
