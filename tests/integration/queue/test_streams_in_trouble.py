import asyncio
import logging
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import BrokerUnavailable
from powerloop.kernel.events import Event, RoundStarted, TextDelta
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.queue import RedisEventFeed, RedisEventSink
from powerloop.queue.stream import KEY

pytestmark = pytest.mark.integration

SESSION = SessionId("session-1")


def make_event(body, *, session=SESSION):
    return Event(
        session_id=session,
        send_id=SendId("a"),
        attempt=1,
        epoch=Epoch(1),
        offset=0,
        at=datetime.now(UTC),
        body=body,
    )


async def next_news(batches, within=10):
    """The next batch that has events."""
    async with asyncio.timeout(within):
        async for batch in batches:
            if batch:
                return [event.body for event in batch]
    raise AssertionError("a feed does not end")


async def test_a_stream_is_trimmed_and_expires(redis_url, client):
    sink = RedisEventSink(redis_url, length=200, ttl=timedelta(seconds=60))
    for number in range(2_000):
        sink.emit(make_event(RoundStarted(round=number)))
    await sink.flush()
    length = await client.xlen(KEY.format(SESSION))
    assert 200 <= length < 400
    assert 55 < await client.ttl(KEY.format(SESSION)) <= 60
    await sink.close()


async def test_text_of_many_deltas_is_one_entry(redis_url, client):
    sink = RedisEventSink(redis_url)
    for letter in "Hello, world":
        sink.emit(make_event(TextDelta(text=letter)))
    await sink.flush()
    entries = await client.xrange(KEY.format(SESSION))
    assert [entry["data"] for _, entry in entries] == ['{"text":"Hello, world"}']
    await sink.close()


async def test_an_entry_of_somebody_else_is_passed_over(redis_url, client):
    sink, feed = RedisEventSink(redis_url), RedisEventFeed(redis_url)
    async with aclosing(feed.read(SESSION, "")) as batches:
        await client.xadd(KEY.format(SESSION), {b"\xff\xfe": b"\xff"})
        sink.emit(make_event(RoundStarted(round=1)))
        await sink.flush()
        assert await next_news(batches) == [RoundStarted(round=1)]
    await sink.close()
    await feed.close()


async def test_a_reading_process_uses_one_connection_and_leaves_no_key_for_ever(redis_url, client):
    feed = RedisEventFeed(redis_url)
    before = len(await client.client_list())
    readers = [feed.read(SessionId(f"s{number}"), "") for number in range(200)]
    await asyncio.gather(*(anext(reader) for reader in readers))
    # The one that reads, and those of the pool that the joining needed.
    assert len(await client.client_list()) - before <= 8
    assert all([await client.ttl(key) > 0 for key in await client.keys("powerloop:wake:*")])
    for reader in readers:
        await reader.aclose()
    await feed.close()


async def test_a_sink_whose_redis_is_away_drops_and_never_raises(own_redis, caplog):
    caplog.set_level(logging.INFO, "powerloop.events")
    sink = RedisEventSink(own_redis.url)
    sink.emit(make_event(RoundStarted(round=1)))
    await sink.flush()
    own_redis.kill()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(200):
        sink.emit(make_event(RoundStarted(round=number)))
        await sink.flush()
    assert loop.time() - began < 5, "an outage does not hold up the sends"
    assert [record.message for record in caplog.records] == ["service away"]
    await sink.close()


async def test_a_sink_goes_on_when_redis_is_back(own_redis, eventually):
    sink, feed = RedisEventSink(own_redis.url), RedisEventFeed(own_redis.url)
    sink.emit(make_event(RoundStarted(round=1)))
    await sink.flush()
    own_redis.kill()
    sink.emit(make_event(RoundStarted(round=2)))
    await sink.flush()
    own_redis.start()

    async def written():
        sink.emit(make_event(RoundStarted(round=3)))
        await sink.flush()
        return await feed.end_of(SESSION) != "0-0"

    await eventually(written, "events are written again", within=5)
    await sink.close()
    await feed.close()


async def test_a_reader_outlives_a_restart_of_redis(own_redis, eventually):
    sink, feed = RedisEventSink(own_redis.url), RedisEventFeed(own_redis.url)
    async with aclosing(feed.read(SESSION, "")) as batches:
        sink.emit(make_event(RoundStarted(round=1)))
        await sink.flush()
        assert await next_news(batches) == [RoundStarted(round=1)]
        own_redis.kill()
        assert list(await anext(batches)) == [], "an empty batch: look at the row"
        own_redis.start()

        async def emitted():
            sink.emit(make_event(RoundStarted(round=2)))
            await sink.flush()
            return sink._outage.error is None

        await eventually(emitted, "the sink writes again", within=5)
        assert (await next_news(batches))[-1] == RoundStarted(round=2)
    await sink.close()
    await feed.close()


async def test_reading_begins_with_words_when_redis_is_away(own_redis):
    feed = RedisEventFeed(own_redis.url)
    own_redis.kill()
    words = rf"Redis at 127.0.0.1:{own_redis.port} does not answer: .* Is it running"
    with pytest.raises(BrokerUnavailable, match=words):
        await feed.end_of(SESSION)
    with pytest.raises(BrokerUnavailable, match=words):
        await anext(feed.read(SESSION, ""))
    await feed.close()


async def test_a_wrong_password_is_told_as_such(own_redis):
    feed = RedisEventFeed(f"redis://:wrong@127.0.0.1:{own_redis.port}/0")
    with pytest.raises(BrokerUnavailable, match="Is the password in the address right"):
        await feed.end_of(SESSION)
    await feed.close()


async def test_a_closed_feed_says_so(redis_url):
    feed = RedisEventFeed(redis_url)
    reader = feed.read(SESSION, "")
    await anext(reader)
    await feed.close()
    with pytest.raises(BrokerUnavailable, match="the event feed is closed"):
        await anext(reader)
    with pytest.raises(BrokerUnavailable, match="the event feed is closed"):
        await feed.end_of(SESSION)
