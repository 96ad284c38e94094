"""Connections that are open, and dead: what a failover behind a load balancer leaves behind."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import count

import pytest

from powerloop.kernel.events import Event, RoundStarted
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.queue import RedisEventFeed, RedisEventSink, RedisSessionLocks, open_dispatcher
from powerloop.testing.factories import make_activation

pytestmark = pytest.mark.integration

SESSION = SessionId("session-1")


def make_event(number):
    return Event(
        session_id=SESSION,
        send_id=SendId("send-1"),
        attempt=1,
        epoch=Epoch(1),
        offset=0,
        at=datetime.now(UTC),
        body=RoundStarted(round=number),
    )


async def test_a_publication_goes_out_on_a_new_connection(proxy):
    network, url = proxy
    dispatcher = open_dispatcher(url)
    assert await dispatcher.publish([make_activation(1)])
    network.freeze()
    async with asyncio.timeout(6):
        assert await dispatcher.publish([make_activation(2)])
    await dispatcher.close()


async def test_a_renewal_is_back_before_the_lease_runs_out(proxy):
    network, url = proxy
    locks = RedisSessionLocks(url)
    lost = []
    lock = await locks.acquire(SESSION, lambda: lost.append(True))
    await asyncio.to_thread(locks.renew)
    network.freeze()
    async with asyncio.timeout(2):
        await asyncio.to_thread(locks.renew)
    async with asyncio.timeout(2):
        await asyncio.to_thread(locks.renew)
    assert lost == []
    await lock.release()
    await locks.close()


async def test_a_flush_gives_up_and_the_next_events_are_written(proxy):
    network, url = proxy
    sink, feed = RedisEventSink(url), RedisEventFeed(url)
    sink.emit(make_event(1))
    await sink.flush()
    network.freeze()
    sink.emit(make_event(2))
    async with asyncio.timeout(5):
        await sink.flush()
    async with asyncio.timeout(10), aclosing(feed.read(SESSION, "")) as batches:
        async for batch in batches:
            if any(event.body == RoundStarted(round=3) for event in batch):
                break
            sink.emit(make_event(3))
            await sink.flush()
    await sink.close()
    await feed.close()


async def test_a_reader_reads_on_through_a_new_connection(proxy, redis_url):
    network, url = proxy
    sink, feed = RedisEventSink(redis_url), RedisEventFeed(url)
    async with asyncio.timeout(20), aclosing(feed.read(SESSION, "")) as batches:
        sink.emit(make_event(1))
        await sink.flush()
        assert [event.body for event in await anext(batches)] == [RoundStarted(round=1)]
        network.freeze()
        sink.emit(make_event(2))
        await sink.flush()
        async for batch in batches:
            if batch:
                assert [event.body for event in batch] == [RoundStarted(round=2)]
                break
    await sink.close()
    await feed.close()


async def test_a_worker_takes_up_work_again(worker_on, proxy, redis_url, eventually):
    network, url = proxy
    worker = worker_on(url).start()
    dispatcher = open_dispatcher(redis_url)
    await dispatcher.publish([make_activation(1)])
    await eventually(lambda: worker.ran("send-1"), "the worker works", within=30)
    network.freeze()

    async def takes_one() -> bool:
        # A message that Redis hands out while dead connections are being found may be lost: kombu takes it
        # with one command and notes it with another. Such messages are recovery's, so there are several.
        number = next(numbers)
        await dispatcher.publish([make_activation(number)])
        await asyncio.sleep(2)
        return any(worker.ran(f"send-{sent}") for sent in range(2, number + 1))

    numbers = count(2)
    await eventually(takes_one, "the worker works again", within=90)
    await dispatcher.close()
