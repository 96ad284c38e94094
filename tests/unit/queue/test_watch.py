from datetime import UTC, datetime

from powerloop.kernel.events import Event, Rewind
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.queue import watch as watch_module
from powerloop.queue.cursors import BEGINNING, cursor_of
from powerloop.queue.watch import Reader, Watch


def at(number):
    return (1, number)


def events(*numbers):
    return [
        Event(
            session_id=SessionId("s"),
            send_id=SendId("a"),
            attempt=1,
            epoch=Epoch(1),
            offset=number,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            body=Rewind(),
            cursor=cursor_of(at(number)),
        )
        for number in numbers
    ]


async def offsets(reader):
    return [event.offset for event in await reader.take(0.001)]


def joined(watch, after):
    reader = Reader(after)
    watch.readers.add(reader)
    watch.go_back_to(after)
    return reader


async def test_each_reader_gets_what_stands_after_its_place():
    watch = Watch(at(5))
    current, old = joined(watch, at(5)), joined(watch, at(2))
    assert watch.after == at(2)
    watch.deliver(at(2), at(6), events(3, 4, 5, 6))
    assert await offsets(old) == [3, 4, 5, 6]
    assert await offsets(current) == [6]
    assert watch.after == at(6)


async def test_a_reader_that_joins_during_a_read_does_not_lose_what_stands_before_it():
    watch = Watch(at(5))
    joined(watch, at(5))
    # The stream is being read from 5 on; now somebody joins who stands at 2.
    old = joined(watch, at(2))
    watch.deliver(at(5), at(7), events(6, 7))
    assert await offsets(old) == []
    assert watch.after == at(2), "the next read goes back for it"
    watch.deliver(at(2), at(7), events(3, 4, 5, 6, 7))
    assert await offsets(old) == [3, 4, 5, 6, 7]


async def test_a_reader_with_too_much_before_it_is_passed_over_until_it_looks(monkeypatch):
    monkeypatch.setattr(watch_module, "_MAX_WAITING", 2)
    watch = Watch(BEGINNING)
    slow = joined(watch, BEGINNING)
    watch.deliver(BEGINNING, at(2), events(1, 2))
    watch.deliver(at(2), at(4), events(3, 4))
    assert slow.behind
    assert await offsets(slow) == [1, 2]
    watch.deliver(at(4), at(5), events(5))
    assert await offsets(slow) == [], "it must not jump over 3 and 4"
    assert watch.go_back_to(slow.seen)
    watch.deliver(at(2), at(5), events(3, 4, 5))
    assert await offsets(slow) == [3, 4, 5]


async def test_entries_that_are_not_understood_are_passed_once():
    watch = Watch(BEGINNING)
    reader = joined(watch, BEGINNING)
    watch.deliver(BEGINNING, at(3), [])
    assert (watch.after, reader.seen) == (at(3), at(3))
