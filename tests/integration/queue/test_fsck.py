from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import BrokerUnavailable
from powerloop.kernel.events import Event, RoundStarted, TextDelta
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.queue import RedisEventSink, RedisSessionLocks
from powerloop.queue.event_wire import fields_of
from powerloop.queue.fsck import check_redis
from powerloop.queue.locks import KEY as LOCK
from powerloop.queue.stream import KEY as STREAM

pytestmark = pytest.mark.integration

SESSION = SessionId("session-1")
TTL = timedelta(seconds=4)


def make_event(offset, *, epoch=1, body=None):
    return Event(
        session_id=SESSION,
        send_id=SendId("send-1"),
        attempt=1,
        epoch=Epoch(epoch),
        offset=offset,
        at=datetime.now(UTC),
        body=body or RoundStarted(round=1),
    )


async def write(client, *numbers):
    """A stream whose events have these epochs and offsets."""
    for epoch, offset in numbers:
        await client.xadd(STREAM.format(SESSION), fields_of(make_event(offset, epoch=epoch)))


async def check(redis_url, **options):
    offsets, locks = await check_redis(redis_url, lock_ttl=TTL, **options)
    assert (offsets.invariant, locks.invariant) == ("I10", "I12")
    return offsets, locks


async def test_what_the_sink_and_the_locks_write_is_sound(redis_url):
    sink, locks = RedisEventSink(redis_url, length=10), RedisSessionLocks(redis_url, ttl=TTL)
    assert await locks.acquire(SESSION, lambda: None)
    for number in range(2_000):
        sink.emit(make_event(number, epoch=1 + number // 700))
        sink.emit(make_event(number, epoch=1 + number // 700, body=TextDelta(text="x")))
    await sink.flush()
    reports = await check(redis_url, lossless=True)
    assert [(report.status, report.rows) for report in reports] == [("ok", ()), ("ok", ())]
    await sink.close()
    await locks.close()


async def test_an_offset_that_does_not_rise_is_a_fault(redis_url, client):
    await write(client, (1, 5), (1, 6), (2, 0), (1, 7), (2, 1), (2, 1), (2, 0))
    offsets, _ = await check(redis_url)
    assert offsets.status == "violated"
    assert [(row["epoch"], row["after_offset"], row["offset"]) for row in offsets.rows] == [
        (2, 1, 1),
        (2, 1, 0),
    ]


async def test_a_missing_event_is_a_fault_only_where_redis_was_never_away(redis_url, client):
    await write(client, (1, 0), (1, 2))
    assert (await check(redis_url))[0].status == "ok"
    assert (await check(redis_url, lossless=True))[0].status == "violated"


async def test_entries_of_somebody_else_are_passed_over(redis_url, client):
    await write(client, (1, 0))
    await client.xadd(STREAM.format(SESSION), {"a": "b"})
    await write(client, (1, 1))
    assert (await check(redis_url, lossless=True))[0].status == "ok"


@pytest.mark.parametrize(("left_ms", "status"), [(None, "violated"), (8_500, "violated"), (7_900, "ok")])
async def test_a_lock_runs_out_within_twice_its_ttl(redis_url, client, left_ms, status):
    await client.set(LOCK.format(SESSION), "somebody", px=left_ms)
    _, locks = await check(redis_url)
    assert locks.status == status
    assert [row["session_id"] for row in locks.rows] == ([SESSION] if status == "violated" else [])


async def test_a_report_shows_no_more_rows_than_it_may(redis_url, client):
    await write(client, *[(1, 0)] * 50)
    offsets, _ = await check(redis_url, limit=3)
    assert len(offsets.rows) == 3


async def test_a_check_that_takes_too_long_says_so(redis_url, client):
    await write(client, (1, 0))
    reports = await check(redis_url, timeout=timedelta(0))
    assert [report.status for report in reports] == ["timed_out", "timed_out"]


async def test_a_redis_that_is_away_is_said_so():
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
        await check_redis("redis://127.0.0.1:1/0", lock_ttl=TTL)
