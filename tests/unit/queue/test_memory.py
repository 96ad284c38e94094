from contextlib import aclosing
from datetime import UTC, datetime

from powerloop.kernel.events import Event, RoundStarted
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.queue.memory import MemoryFeed, MemorySink


def emit(sink, session, number):
    sink.emit(
        Event(
            session_id=SessionId(session),
            send_id=SendId("send-1"),
            attempt=1,
            epoch=Epoch(1),
            offset=number,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            body=RoundStarted(round=number),
        )
    )


async def rounds(feed, session, after=""):
    async with aclosing(feed.read(SessionId(session), after)) as batches:
        return [event.body.round for event in await anext(batches)]


async def test_a_session_keeps_its_latest_events():
    feed = MemoryFeed(length=3)
    for number in range(5):
        emit(MemorySink(feed), "a", number)
    assert await rounds(feed, "a") == [2, 3, 4]


async def test_the_sessions_that_are_silent_for_longest_are_forgotten_first():
    feed = MemoryFeed(sessions=2)
    sink = MemorySink(feed)
    for number, session in enumerate(["a", "b", "a", "c"]):
        emit(sink, session, number)
    assert await rounds(feed, "a") == [0, 2]
    assert await rounds(feed, "c") == [3]
    assert await rounds(feed, "b") == []


async def test_a_cursor_stays_good_when_its_session_was_forgotten_in_between():
    feed = MemoryFeed(sessions=1)
    sink = MemorySink(feed)
    emit(sink, "a", 1)
    cursor = await feed.end_of(SessionId("a"))
    emit(sink, "b", 2)
    emit(sink, "a", 3)
    assert await rounds(feed, "a", cursor) == [3]


async def test_readers_leave_nothing_behind():
    feed = MemoryFeed()
    emit(MemorySink(feed), "a", 1)
    await rounds(feed, "a")
    assert not feed._readers
