"""What every `EventFeed` promises of `ending`: whoever waits for the end of a send is told."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
import redis

from powerloop.kernel.errors import BrokerUnavailable
from powerloop.kernel.events import Event, SendEnded, TextDelta
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.kernel.sends import SendStatus
from powerloop.queue import RedisEventFeed, RedisEventSink
from powerloop.queue.memory import MemoryFeed, MemorySink

ENDED = SendEnded(status=SendStatus.COMPLETED)


class Pair:
    def __init__(self, sink, feed):
        self.sink, self.feed = sink, feed

    async def tell(self, body, send_id="send-1"):
        event = Event(
            session_id=SessionId("session-1"),
            send_id=SendId(send_id),
            attempt=1,
            epoch=Epoch(1),
            offset=0,
            at=datetime.now(UTC),
            body=body,
        )
        self.sink.emit(event)
        await self.sink.flush()


@pytest.fixture(params=["memory", "redis"])
async def pair(request):
    if request.param == "memory":
        feed = MemoryFeed()
        yield Pair(MemorySink(feed), feed)
        return
    url = request.getfixturevalue("redis_url")
    sink, feed = RedisEventSink(url, ttl=timedelta(minutes=1)), RedisEventFeed(url)
    yield Pair(sink, feed)
    await sink.close()
    await feed.close()


async def test_whoever_waits_is_told_of_the_end_and_of_nothing_else(pair):
    async with pair.feed.ending(SendId("send-1")) as told:
        await pair.tell(TextDelta(text="hello"))
        await pair.tell(ENDED, "send-2")
        async with pair.feed.ending(SendId("send-2")) as late:
            assert not told.is_set()
            assert not late.is_set()
        await pair.tell(ENDED)
        async with asyncio.timeout(5):
            await told.wait()


async def test_many_wait_for_the_same_end(pair):
    async with AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(pair.feed.ending(SendId("send-1"))) for _ in range(5)]
        await pair.tell(ENDED)
        async with asyncio.timeout(5):
            await asyncio.gather(*(told.wait() for told in waiting))


async def test_one_listener_waits_for_a_thousand_ends_at_once(pair):
    async def wait(number: int) -> None:
        async with pair.feed.ending(SendId(f"send-{number}")) as told:
            listening.append(number)
            await told.wait()

    listening: list[int] = []
    tasks = [asyncio.create_task(wait(number)) for number in range(1000)]
    async with asyncio.timeout(30):
        while len(listening) < 1000:
            await asyncio.sleep(0.01)
        for number in range(1000):
            await pair.tell(ENDED, f"send-{number}")
        await asyncio.gather(*tasks)


async def test_a_send_can_be_waited_for_again(pair):
    for _ in range(20):
        async with pair.feed.ending(SendId("send-1")) as told:
            assert not told.is_set()
    async with pair.feed.ending(SendId("send-1")) as told:
        await pair.tell(ENDED)
        async with asyncio.timeout(5):
            await told.wait()


async def test_a_connection_that_breaks_wakes_the_listeners(redis_url, eventually):
    sink, feed = RedisEventSink(redis_url), RedisEventFeed(redis_url)
    try:
        async with feed.ending(SendId("send-1")) as told:
            with redis.Redis.from_url(redis_url) as admin:
                admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            async with asyncio.timeout(10):
                await told.wait()
            told.clear()
            # Listening goes on over another connection.
            await Pair(sink, feed).tell(ENDED)
            async with asyncio.timeout(10):
                await told.wait()
    finally:
        await sink.close()
        await feed.close()


async def test_a_redis_that_is_away_is_said_so():
    feed = RedisEventFeed("redis://127.0.0.1:1/0")
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        async with feed.ending(SendId("send-1")):
            pass
    await feed.close()
