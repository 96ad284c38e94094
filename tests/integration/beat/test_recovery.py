"""What a beat brings back: sends whose message was lost, and sends whose process died."""

import logging

import pytest

from powerloop import AsyncPowerLoop, SendStatus
from powerloop.kernel.ids import WorkerId
from powerloop.settings import read_settings
from powerloop.store import open_store

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(system):
    """The system's store, for what no client does."""
    store = open_store(system["POWERLOOP_DATABASE_URL"])
    yield store
    await store.close()


async def some_sends(loop, count):
    """Sends, each the head of a session of its own."""
    sessions = [await loop.create_session("echo") for _ in range(count)]
    return [(await loop.send(session.id, "hello")).send for session in sessions]


async def test_two_beats_publish_what_the_broker_lost_once(
    loop, system, start_beat, queue, queued, eventually
):
    sends = await some_sends(loop, 30)
    queue.flushall()
    beats = [start_beat(system) for _ in range(2)]
    await eventually(lambda: all("beat started" in beat.log for beat in beats), "both run", within=20)
    await eventually(lambda: len(queued()) == len(sends), "every send is in the queue again", within=20)
    assert queued() == {send.id: 1 for send in sends}
    assert [beat.stop() for beat in beats] == [0, 0]
    assert queued() == {send.id: 1 for send in sends}
    assert any("work recovered" in beat.log and "reason='queue empty'" in beat.log for beat in beats)


async def test_two_beats_reclaim_the_sends_of_a_process_that_died_once(
    loop, store, system, start_beat, queue, queued, eventually
):
    sends = await some_sends(loop, 30)
    for send in sends:
        await store.journal.claim(send, WorkerId("dead:1:1"))
    queue.flushall()
    beats = [start_beat(system) for _ in range(2)]
    await eventually(lambda: all("beat started" in beat.log for beat in beats), "both run", within=20)
    await eventually(lambda: len(queued()) == len(sends), "every send is in the queue again", within=20)
    assert [beat.stop() for beat in beats] == [0, 0]
    found = [await store.sends.find(send.id) for send in sends]
    assert queued() == {send.id: 1 for send in sends}
    assert {(send.status, send.owner, send.attempt) for send in found} == {(SendStatus.QUEUED, None, 1)}


async def test_what_was_accepted_while_the_broker_was_away_is_published_when_it_is_back(
    migrated_postgres_url, redis_url, system, start_beat, queued, eventually, caplog
):
    caplog.set_level(logging.ERROR)
    away = "redis://127.0.0.1:1/0"
    settings = read_settings(discover=False, database_url=migrated_postgres_url, redis_url=away)
    async with AsyncPowerLoop.from_env(settings) as loop:
        sends = await some_sends(loop, 3)
    assert not queued()
    start_beat(system)
    await eventually(lambda: queued() == {send.id: 1 for send in sends}, "they are in the queue", within=20)
