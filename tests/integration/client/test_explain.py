"""Why a send is not running, asked of a real Postgres and a real Redis that no worker is at."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import redis.asyncio as aioredis

from powerloop import Agent, AsyncPowerLoop, PowerLoop
from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.errors import SendNotFound
from powerloop.kernel.explain import Cause
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, ToolCallBlock
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.sends import Claim
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.sweep import Sweeper
from powerloop.queue import RedisSessionLocks
from powerloop.queue.locks import KEY
from powerloop.settings import Settings, read_settings
from powerloop.store import SqlLeases, SqlStore, open_leases, open_store
from powerloop.testing.factories import make_agent

pytestmark = pytest.mark.integration

LONG = timedelta(minutes=5)
PROCESS = f"{socket.gethostname()}:{os.getpid()}"
WORKER = WorkerId(f"{PROCESS}:aaaaaaaa")
AWAY = "redis://:secret@127.0.0.1:1/0"


@dataclass
class System:
    """A producer, and what a worker would do to the rows."""

    loop: AsyncPowerLoop
    store: SqlStore
    leases: SqlLeases
    redis: Any
    settings: Settings

    async def live(self, ttl: timedelta = LONG) -> None:
        """A worker is alive, and knows the agent; or was, where `ttl` is not positive."""
        await asyncio.to_thread(self.leases.renew, WORKER, ttl)
        await self.store.agents.announce([AnnouncedAgent.of(make_agent(name="support"))])

    async def send(self, send_id: str, session_id: str = "s") -> None:
        """A send of this id, whose message is in the broker."""
        await self.loop.send(session_id, "hello", id=send_id)

    async def claim(self, send_id: str) -> Claim:
        send = await self.store.sends.find(SendId(send_id))
        assert send is not None
        claim = await self.store.journal.claim(send, WORKER)
        assert claim is not None
        return claim

    async def age(self, send_id: str) -> None:
        """As if it had been dispatched a minute ago."""
        async with await psycopg.AsyncConnection.connect(self.settings.database_url) as connection:
            earlier = "dispatched_at = dispatched_at - interval '1 minute'"
            await connection.execute(f"UPDATE powerloop.sends SET {earlier} WHERE id = %s", (send_id,))


def settings(database_url: str, redis_url: str) -> Settings:
    return read_settings(discover=False, database_url=database_url, redis_url=redis_url, broker_url=redis_url)


@pytest.fixture
async def system(migrated_postgres_url: str, redis_url: str) -> AsyncIterator[System]:
    known = settings(migrated_postgres_url, redis_url)
    store, leases = open_store(migrated_postgres_url), open_leases(migrated_postgres_url)
    client = aioredis.Redis.from_url(redis_url, decode_responses=True)
    async with AsyncPowerLoop.from_env(known) as loop:
        await loop.create_session("support", id="s")
        yield System(loop, store, leases, client, known)
    await client.aclose()
    await store.close()
    leases.close()


async def test_an_unknown_send_is_refused(system):
    with pytest.raises(SendNotFound, match="no send 'nothing'"):
        await system.loop.explain("nothing")


async def test_without_a_worker_the_send_says_so_and_how_many_messages_wait(system):
    await system.send("a")
    found = await system.loop.explain("a")
    assert found.code is Cause.NO_WORKER
    assert "there is no trace of one" in found.text
    assert "1 message of priority 0 waits" in found.text


async def test_a_send_that_waits_in_the_queue_of_living_workers_tells_the_backlog(system):
    await system.live()
    await system.send("a")
    found = await system.loop.explain("a")
    assert found.code is Cause.BACKLOG
    assert "1 message of priority 0 waits; 1 worker is alive." in found.text


async def test_an_agent_that_only_dead_workers_knew_is_told(system):
    await system.live()
    async with await psycopg.AsyncConnection.connect(system.settings.database_url) as connection:
        await connection.execute(
            "UPDATE powerloop.agents SET announced_at = announced_at - interval '1 hour'"
        )
    await system.send("a")
    found = await system.loop.explain("a")
    assert found.code is Cause.AGENT_UNKNOWN
    assert "'support'" in found.text


async def test_a_send_behind_another_tells_why_that_one_is_not_done(system):
    await system.live()
    await system.send("a")
    await system.send("b")
    await system.claim("a")
    found = await system.loop.explain("b")
    assert found.code is Cause.BEHIND
    assert "1 send before it has not ended" in found.text
    assert f"Send a is running, in attempt 1, under {WORKER}, whose lease is alive" in found.text
    assert found.because.code is Cause.RUNNING


async def test_a_send_that_runs_tells_its_owner_and_its_lock(system):
    await system.live()
    await system.send("a")
    locks = RedisSessionLocks(system.settings.redis_url, ttl=LONG)
    await locks.acquire(SessionId("s"), lambda: None)
    await system.claim("a")
    found = await system.loop.explain("a")
    assert found.code is Cause.RUNNING
    assert f"under {WORKER}, whose lease is alive" in found.text
    assert f"The lock {KEY.format('s')} runs out in" in found.text
    assert f"{PROCESS}, is alive" in found.text
    await locks.close()


async def test_a_send_of_a_dead_owner_tells_since_when(system):
    await system.live()
    await system.send("a")
    await system.claim("a")
    await system.live(timedelta(seconds=-60))
    found = await system.loop.explain("a")
    assert found.code is Cause.OWNER_DEAD
    assert f"it belongs to {WORKER}, whose lease ran out" in found.text
    assert "it seems that no beat runs" in found.text


async def test_a_lock_that_a_dead_process_left_is_told_with_its_time(system):
    await system.live()
    await system.send("a")
    await system.redis.set(KEY.format("s"), "box:7:0123456789", px=60_000)
    found = await system.loop.explain("a")
    assert found.code is Cause.LOCK_HELD
    assert f"{KEY.format('s')} runs out in" in found.text
    assert "the process that holds it, box:7, is not alive" in found.text


async def test_a_lock_that_never_runs_out_is_told_so(system):
    await system.live()
    await system.send("a")
    await system.redis.set(KEY.format("s"), f"{PROCESS}:0123456789")
    found = await system.loop.explain("a")
    assert f"{KEY.format('s')} never runs out; the process that holds it, {PROCESS}, is alive" in found.text


async def test_a_lost_message_is_told_until_a_beat_has_published_it_again(system):
    await system.live()
    await system.send("a")
    await system.redis.flushall()
    await system.age("a")
    found = await system.loop.explain("a")
    assert found.code is Cause.MESSAGE_LOST
    assert "its queue is empty" in found.text
    assert "it seems that none runs" in found.text
    backend = system.loop._backend
    store = system.store
    recovery = (store.recovery, store.task_recovery, store.workflow_recovery)
    assert await Sweeper(*recovery, backend.dispatcher, Ticking()).sweep() == 1
    assert (await system.loop.explain("a")).code is Cause.BACKLOG


async def test_a_send_that_waits_for_a_person_tells_the_question(system):
    await system.live()
    await system.send("a")
    claim = await system.claim("a")
    call = NewToolCall(id=CallId("c1"), name="ask_user", arguments={}, effect=Effect.READ, index=0)
    block = ToolCallBlock(id=call.id, name=call.name, arguments={})
    message = NewMessage(role=Role.ASSISTANT, content=(block,))
    commit = ModelCommit(round=1, message=message, calls=(call,), entries=())
    await system.store.journal.commit_model(claim.fence, commit)
    question = NewInteraction(
        id=InteractionId("q-1"),
        kind=InteractionKind.INPUT,
        call_id=call.id,
        prompt="Which colour?",
        within=timedelta(hours=5),
        default="red",
    )
    await system.store.journal.suspend(claim.fence, Suspension(interactions=(question,)))
    found = await system.loop.explain("a")
    assert found.code is Cause.WAITS_FOR_PERSON
    assert "Question q-1, open since" in found.text
    assert '"Which colour?"; in 5 h its default answer counts' in found.text
    assert found.hint == "Answer: powerloop inbox answer q-1"


async def test_redis_being_away_is_told_and_hides_nothing_else(system, migrated_postgres_url):
    await system.live()
    await system.send("a")
    async with AsyncPowerLoop.from_env(settings(migrated_postgres_url, AWAY)) as blind:
        found = await blind.explain("a")
        assert found.code is Cause.BROKER_AWAY
        assert "the lock of its session is held could not be seen: Redis at 127.0.0.1:1" in found.text
        assert "secret" not in found.text
        await system.claim("a")
        found = await blind.explain("a")
        assert found.code is Cause.RUNNING
        assert f"under {WORKER}" in found.text
        assert "could not be seen" in found.text


def test_the_blocking_client_explains_and_local_mode_needs_no_redis():
    agent = Agent(name="echo", model="scripted:echo")
    with PowerLoop.local(":memory:", agents=[agent]) as loop:
        send = loop.send(loop.create_session("echo").id, "hello")
        send.result(timeout=20)
        found = loop.explain(send.id)
    assert found.code is Cause.COMPLETED
    assert "completed (end_turn)" in found.text


class Ticking:
    """Tells the sweeper nothing: one sweep needs no clock."""

    def now(self) -> Any:
        raise AssertionError

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError
