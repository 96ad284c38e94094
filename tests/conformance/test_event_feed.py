"""What every pair of an `EventSink` and an `EventFeed` promises."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.events import (
    Event,
    ReasoningDelta,
    RoundStarted,
    SendEnded,
    SendStarted,
    TextDelta,
)
from powerloop.kernel.ids import Epoch, SendId, SessionId, WorkerId
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.queue import RedisEventFeed, RedisEventSink
from powerloop.queue.memory import MemoryFeed, MemorySink

SESSION = SessionId("session-1")
SEND = SendId("send-1")
STARTED = SendStarted(worker=WorkerId("worker-1"))
ENDED = SendEnded(status=SendStatus.COMPLETED, stop_reason=StopReason.END_TURN)


class Claim:
    """Emits the events of one claim of one send, numbered as the announcer does."""

    def __init__(self, sink, session_id=SESSION, send_id=SEND, epoch=1):
        self.sink, self.session_id, self.send_id, self.epoch = sink, session_id, send_id, epoch
        self.offset = 0

    def emit(self, *bodies):
        for body in bodies:
            event = Event(
                session_id=self.session_id,
                send_id=self.send_id,
                attempt=1,
                epoch=Epoch(self.epoch),
                offset=self.offset,
                at=datetime.now(UTC),
                body=body,
            )
            self.sink.emit(event)
            self.offset += 1


class Pair:
    def __init__(self, sink, feed):
        self.sink, self.feed = sink, feed

    async def tell(self, *bodies, session_id=SESSION, send_id=SEND, epoch=1):
        Claim(self.sink, session_id, send_id, epoch).emit(*bodies)
        await self.sink.flush()

    async def read(self, after="", session_id=SESSION, *, until=ENDED):
        """Events from the cursor on, up to the first whose body is `until`."""
        events = []
        async with asyncio.timeout(10), aclosing(self.feed.read(session_id, after)) as batches:
            async for batch in batches:
                events += batch
                if any(event.body == until for event in batch):
                    return events
        raise AssertionError("a feed does not end")


@pytest.fixture(params=["memory", "redis"])
async def pair(request):
    if request.param == "memory":
        feed = MemoryFeed()
        pair = Pair(MemorySink(feed), feed)
    else:
        url = request.getfixturevalue("redis_url")
        pair = Pair(RedisEventSink(url), RedisEventFeed(url))
    yield pair
    await pair.feed.close()
    await pair.sink.close()


def bodies(events):
    return [event.body for event in events]


async def test_what_was_emitted_is_read_in_order_and_whole(pair):
    told = [STARTED, RoundStarted(round=1), TextDelta(text="Hello"), ENDED]
    before = datetime.now(UTC)
    await pair.tell(*told)
    events = await pair.read()
    assert bodies(events) == told
    assert {(event.session_id, event.send_id, event.attempt, event.epoch) for event in events} == {
        (SESSION, SEND, 1, 1)
    }
    assert all(before <= event.at <= datetime.now(UTC) + timedelta(seconds=1) for event in events)


async def test_the_text_is_the_concatenation_of_its_deltas_and_offsets_rise_by_one(pair):
    words = ["one ", "two ", "three ", "four"]
    deltas = [TextDelta(text=word) for word in words]
    await pair.tell(STARTED, *deltas, RoundStarted(round=2), ReasoningDelta(text="hm"), *deltas, ENDED)
    events = await pair.read()
    assert [event.offset for event in events] == list(range(len(events)))
    text = "".join(event.body.text for event in events if isinstance(event.body, TextDelta))
    assert text == "".join(words) * 2


async def test_each_claim_is_numbered_from_zero(pair):
    await pair.tell(STARTED, TextDelta(text="lost"))
    await pair.tell(STARTED, TextDelta(text="kept"), ENDED, epoch=2)
    events = await pair.read()
    assert [(event.epoch, event.offset) for event in events] == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


async def test_sends_that_write_at_the_same_time_do_not_mix(pair):
    first, second = Claim(pair.sink, send_id="a"), Claim(pair.sink, send_id="b")
    for letter in "xyz":
        first.emit(TextDelta(text=letter))
        second.emit(TextDelta(text=letter.upper()))
    second.emit(ENDED)
    await pair.sink.flush()
    events = await pair.read()
    texts = [e for e in events if isinstance(e.body, TextDelta)]
    assert "".join(e.body.text for e in texts if e.send_id == "a") == "xyz"
    assert "".join(e.body.text for e in texts if e.send_id == "b") == "XYZ"


async def test_a_reader_goes_on_from_any_event(pair):
    await pair.tell(STARTED, *(RoundStarted(round=number) for number in range(1, 6)), ENDED)
    events = await pair.read()
    for index, event in enumerate(events[:-1]):
        assert await pair.read(event.cursor) == events[index + 1 :]


async def test_a_cursor_that_says_how_far_a_send_was_followed_is_a_place_too(pair):
    await pair.tell(STARTED, RoundStarted(round=1), ENDED)
    events = await pair.read()
    for followed in (".7.3.12", ".7..0"):
        assert await pair.read(events[0].cursor + followed) == events[1:]


async def test_the_end_of_a_session_is_after_its_latest_event(pair):
    await pair.tell(STARTED, RoundStarted(round=1))
    end = await pair.feed.end_of(SESSION)
    await pair.tell(ENDED)
    assert bodies(await pair.read(end)) == [ENDED]


async def test_a_session_that_has_told_nothing_has_an_end_before_its_first_event(pair):
    end = await pair.feed.end_of(SESSION)
    await pair.tell(STARTED, ENDED)
    assert bodies(await pair.read(end)) == [STARTED, ENDED]


async def test_a_reader_gets_events_as_they_come(pair):
    async with asyncio.timeout(10), aclosing(pair.feed.read(SESSION, "")) as batches:
        for number in range(1, 4):
            await pair.tell(RoundStarted(round=number))
            assert bodies(await anext(batches)) == [RoundStarted(round=number)]


async def test_events_arrive_without_a_flush(pair):
    Claim(pair.sink).emit(STARTED, ENDED)
    assert bodies(await pair.read()) == [STARTED, ENDED]


async def test_silence_is_an_empty_batch_within_about_a_second(pair):
    loop = asyncio.get_running_loop()
    async with aclosing(pair.feed.read(SESSION, "")) as batches:
        for _ in range(2):
            began = loop.time()
            assert list(await anext(batches)) == []
            assert 0.8 < loop.time() - began < 3


async def test_readers_of_one_session_read_from_where_each_stands(pair):
    await pair.tell(STARTED, RoundStarted(round=1), RoundStarted(round=2))
    events = await pair.read(until=RoundStarted(round=2))
    cursors = ["", events[0].cursor, events[1].cursor, events[2].cursor]
    reads = [asyncio.create_task(pair.read(cursor)) for cursor in cursors]
    late = asyncio.create_task(pair.read())
    await asyncio.sleep(0)
    await pair.tell(RoundStarted(round=3))
    await pair.tell(ENDED)
    rest = [RoundStarted(round=3), ENDED]
    for index, read in enumerate(reads):
        assert bodies(await read) == [*bodies(events[index:]), *rest]
    assert bodies(await late) == [*bodies(events), *rest]


async def test_a_hundred_sessions_are_read_at_the_same_time(pair):
    sessions = [SessionId(f"session-{number}") for number in range(100)]
    reads = [asyncio.create_task(pair.read(session_id=session)) for session in sessions]
    await asyncio.sleep(0)
    for session in sessions:
        Claim(pair.sink, session, SendId(f"send of {session}")).emit(STARTED, ENDED)
    await pair.sink.flush()
    for session, read in zip(sessions, reads, strict=True):
        assert [event.send_id for event in await read] == [f"send of {session}"] * 2


async def test_a_reader_that_is_slow_misses_nothing(pair):
    count = 1_500
    async with asyncio.timeout(20), aclosing(pair.feed.read(SESSION, "")) as batches:
        await pair.tell(STARTED)
        events = list(await anext(batches))
        # It does not look for a long while.
        await pair.tell(*(RoundStarted(round=number) for number in range(1, count)), ENDED)
        assert len(await pair.read()) == count + 1
        while events[-1].body != ENDED:
            events += await anext(batches)
    assert bodies(events) == [STARTED, *(RoundStarted(round=number) for number in range(1, count)), ENDED]


async def test_a_reader_that_left_does_not_disturb_the_others(pair):
    async with (
        aclosing(pair.feed.read(SESSION, "")) as leaving,
        aclosing(pair.feed.read(SESSION, "")) as staying,
    ):
        await pair.tell(STARTED)
        assert bodies(await anext(leaving)) == [STARTED]
        assert bodies(await anext(staying)) == [STARTED]
        await leaving.aclose()
        await pair.tell(ENDED)
        assert bodies(await anext(staying)) == [ENDED]


@pytest.mark.parametrize(
    "cursor", ["$", ">", "now", "5", "1-", "-1", "1-1-1", "1 -1", "1-1.", "1-1.2.3", "1-1..3.4"]
)
async def test_a_cursor_that_no_event_bore_is_refused_in_words(pair, cursor):
    with pytest.raises(InvalidInput, match="is no cursor"):
        await anext(pair.feed.read(SESSION, cursor))
