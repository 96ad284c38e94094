"""Reading the events of a send over Redis and Postgres, when its stream, its worker or its reader is lost."""

import asyncio
from contextlib import aclosing

import pytest
import redis

from powerloop.client.reading import read_events
from powerloop.kernel.announce import Announcer
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.events import MessageCommitted, Rewind, RoundStarted, SendEnded, SendStarted, TextDelta
from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import NewMessage, Role, TextBlock, user_message
from powerloop.kernel.ports.journal import Ending, ModelCommit
from powerloop.kernel.sends import NewSend, SendStatus, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.queue import RedisEventFeed, RedisEventSink
from powerloop.store import open_store

pytestmark = pytest.mark.integration

SESSION, SEND = SessionId("session-1"), SendId("send-1")


class System:
    """A worker that does what it is told, and readers, each of a process of its own."""

    def __init__(self, database_url, redis_url, **stream):
        self.store = open_store(database_url)
        self.sink = RedisEventSink(redis_url, **stream)
        self._redis_url = redis_url
        self._feeds = []
        self._lives = 0

    async def open(self):
        await self.store.sessions.create(NewSession(id=SESSION, agent="support", metadata={}))
        content = user_message("hello").content
        await self.store.sends.accept(NewSend(id=SEND, session_id=SESSION, content=content))

    async def claim(self):
        """Claim as a worker that comes after the one that died, if there was one."""
        send = await self.store.sends.find(SEND)
        claim = await self.store.journal.claim(send, send.owner or WorkerId("host:1:abc"))
        announcer = Announcer(claim.send, self.sink, SystemClock())
        announcer.started(WorkerId("host:1:abc"))
        return claim, announcer

    async def commit(self, claim, announcer, text, *, tell=True):
        send = await self.store.sends.find(SEND)
        message = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text=text),))
        commit = ModelCommit(round=send.rounds + 1, message=message, calls=(), entries=())
        committed = await self.store.journal.commit_model(claim.fence, commit)
        if tell:
            announcer.committed(committed.seq, Role.ASSISTANT)

    async def finish(self, claim, announcer, text, ending=None):
        content = (TextBlock(text=text),)
        message = NewMessage(role=Role.ASSISTANT, content=content)
        rounds = (await self.store.sends.find(SEND)).rounds + 1
        ending = ending or Ending.completed(
            StopReason.END_TURN, rounds=rounds, output=content, messages=(message,)
        )
        finished = await self.store.journal.finish(claim.fence, ending)
        announcer.committed(finished.seq, Role.ASSISTANT)
        announcer.ended(ending)
        await self.sink.flush()

    async def read(self, after="", *, until=SendEnded):
        """Events from the cursor on, up to the first whose body is, or is of the kind of, `until`."""
        feed = RedisEventFeed(self._redis_url)
        self._feeds.append(feed)
        shown = []
        events = read_events(self.store, feed, await self.store.sends.find(SEND), after)
        async with asyncio.timeout(20), aclosing(events):
            async for event in events:
                shown.append(event)
                if until in (event.body, type(event.body)):
                    break
        return shown

    async def close(self):
        for feed in self._feeds:
            await feed.close()
        await self.sink.close()
        await self.store.close()


@pytest.fixture
async def new_system(migrated_postgres_url, redis_url):
    systems = []

    async def make(**stream):
        system = System(migrated_postgres_url, redis_url, **stream)
        systems.append(system)
        await system.open()
        return system

    yield make
    for system in systems:
        await system.close()


def bodies(events):
    return [event.body for event in events]


def texts(events):
    """The text of each message, as a reader puts it together."""
    put_together, text = [], ""
    for body in bodies(events):
        match body:
            case TextDelta(text=delta):
                text += delta
            case Rewind():
                text = ""
            case MessageCommitted(role=role):
                put_together += [text] if role is Role.ASSISTANT else []
                text = ""
    return put_together


async def stream(system, announcer, *words):
    """Each word is an event of its own."""
    for word in words:
        announcer.text(word)
        await system.sink.flush()


async def test_a_reader_that_died_goes_on_where_it_was_and_the_send_went_on_without_it(new_system):
    system = await new_system()
    claim, announcer = await system.claim()
    announcer.round_started(1)
    await stream(system, announcer, "one ", "two ")
    seen = await system.read(until=TextDelta(text="one "))
    await stream(system, announcer, "three")
    await system.finish(claim, announcer, "one two three")
    rest = await system.read(seen[-1].cursor)
    assert texts(seen + rest) == ["one two three"]
    assert [event.offset for event in seen + rest] == list(range(len(seen + rest)))
    assert {event.epoch for event in seen + rest} == {claim.fence.epoch}


async def test_a_reader_goes_on_from_one_claim_to_the_next(new_system):
    system = await new_system()
    _, dead = await system.claim()
    dead.round_started(1)
    await stream(system, dead, "lost")
    seen = await system.read(until=TextDelta(text="lost"))
    second, announcer = await system.claim()
    # The dead claim does not know it yet.
    await stream(system, dead, " for ever")
    announcer.round_started(1)
    await stream(system, announcer, "kept")
    await stream(system, dead, " and ever")
    await system.finish(second, announcer, "kept")
    rest = await system.read(seen[-1].cursor)
    assert texts(seen + rest) == ["kept"]
    assert {event.epoch for event in rest} == {0, second.fence.epoch}, (
        "what the dead claim wrote is not shown"
    )


async def test_a_commit_that_nobody_lived_to_tell_is_told(new_system):
    system = await new_system()
    claim, dead = await system.claim()
    dead.committed(claim.seq, Role.USER)
    dead.round_started(1)
    await stream(system, dead, "one")
    await system.commit(claim, dead, "one and a half", tell=False)
    claim, announcer = await system.claim()
    announcer.round_started(2)
    await stream(system, announcer, "two")
    await system.finish(claim, announcer, "two")
    assert texts(await system.read()) == ["one and a half", "two"]


async def test_who_joins_a_trimmed_stream_is_told_the_whole_text_of_its_round(new_system):
    system = await new_system(length=10)
    claim, announcer = await system.claim()
    announcer.round_started(1)
    for _ in range(400):
        announcer.text("x")
        announcer.reasoning("hm")
    await system.sink.flush()
    await system.finish(claim, announcer, "x" * 400)
    shown = await system.read()
    assert shown[0].body == Rewind()
    assert not {SendStarted, RoundStarted} & {type(body) for body in bodies(shown)}, "it was trimmed"
    assert texts(shown) == ["x" * 400]


async def test_a_reader_whose_stream_was_trimmed_while_it_was_away_is_told_what_it_missed(new_system):
    system = await new_system(length=10)
    claim, announcer = await system.claim()
    announcer.committed(claim.seq, Role.USER)
    announcer.round_started(1)
    await stream(system, announcer, "one")
    seen = await system.read(until=TextDelta(text="one"))
    await system.commit(claim, announcer, "one")
    announcer.round_started(2)
    for _ in range(400):
        announcer.text("x")
        announcer.reasoning("hm")
    await system.sink.flush()
    await system.finish(claim, announcer, "x" * 400)
    rest = await system.read(seen[-1].cursor)
    assert rest[0].body == Rewind()
    assert texts(seen + rest) == ["one", "x" * 400]


async def test_a_stream_that_is_flushed_away_goes_on(new_system, redis_url):
    system = await new_system()
    claim, announcer = await system.claim()
    announcer.round_started(1)
    await stream(system, announcer, "one ")
    seen = await system.read(until=TextDelta(text="one "))
    await stream(system, announcer, "two ")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    await stream(system, announcer, "three")
    await system.finish(claim, announcer, "one two three")
    rest = await system.read(seen[-1].cursor)
    assert bodies(rest)[:2] == [Rewind(), TextDelta(text="one two three")]
    assert texts(seen + rest) == ["one two three"]


async def test_a_stream_that_is_gone_leaves_what_the_reader_has_not_been_told(new_system, redis_url):
    system = await new_system()
    claim, announcer = await system.claim()
    announcer.committed(claim.seq, Role.USER)
    announcer.round_started(1)
    await stream(system, announcer, "one")
    await system.commit(claim, announcer, "one")
    await system.sink.flush()
    seen = await system.read(until=TextDelta(text="one"))
    await system.finish(claim, announcer, "two")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    rest = await system.read(seen[-1].cursor)
    assert texts(seen + rest) == ["one", "two"]
    assert isinstance(rest[-1].body, SendEnded)
    assert {(event.attempt, event.epoch) for event in rest} == {(0, 0)}


async def test_a_cancelled_send_whose_stream_is_gone_tells_what_was_written(new_system, redis_url):
    system = await new_system()
    claim, announcer = await system.claim()
    await system.store.sends.cancel(SEND)
    content = (TextBlock(text="I was about"),)
    message = NewMessage(role=Role.ASSISTANT, content=content)
    ending = Ending.cancelled(rounds=0, output=content, messages=(message,))
    await system.finish(claim, announcer, "", ending)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert bodies(await system.read()) == [
        Rewind(),
        TextDelta(text="I was about"),
        SendEnded(status=SendStatus.CANCELLED),
    ]


async def test_the_end_is_told_though_others_of_the_session_go_on_talking(new_system):
    system = await new_system()
    claim, _ = await system.claim()
    await system.sink.flush()
    reading = asyncio.create_task(system.read())
    content = (TextBlock(text="done"),)
    ending = Ending.completed(StopReason.END_TURN, rounds=1, output=content)
    await system.store.journal.finish(claim.fence, ending)
    new = NewSend(id=SendId("send-2"), session_id=SESSION, content=user_message("and now?").content)
    await system.store.sends.accept(new)
    other = await system.store.sends.find(new.id)
    talkative = Announcer(other, system.sink, SystemClock())
    while not reading.done():
        talkative.round_started(1)
        await system.sink.flush()
        await asyncio.sleep(0.05)
    assert isinstance((await reading)[-1].body, SendEnded)
