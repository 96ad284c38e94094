"""A long queue and slow workers: nothing is published twice because it waits, and what was lost is found."""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from powerloop.kernel.clock import SystemClock
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.queues import SEND_QUEUE
from powerloop.kernel.sweep import Sweeper, SweepOptions
from powerloop.queue.redis_dispatcher import RedisDispatcher
from powerloop.queue.routing import redis_list
from powerloop.store import open_leases, open_store
from powerloop.testing.factories import make_activation

pytestmark = pytest.mark.integration

SENDS = 20_000

#: Sends of ten minutes, one every thirty milliseconds, each the head of a session of its own.
ACCEPTED = f"""
INSERT INTO powerloop.sessions
SELECT 'session-' || n, 'echo', 'open', '{{}}', 0, 0, 1, 0, now(), now()
  FROM generate_series(1, {SENDS}) AS n;
INSERT INTO powerloop.sends (
    id, session_id, position, status, policy, content, priority, metadata, attempt, strikes, dispatches,
    epoch, rounds, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, output,
    created_at, dispatched_at
)
SELECT 'send-' || n, 'session-' || n, 1, 'queued', 'enqueue', '[{{"type": "text", "text": "hi"}}]', 0, '{{}}',
       0, 0, 1, 0, 0, 0, 0, 0, 0, 0, '[]', at, at
  FROM generate_series(1, {SENDS}) AS n,
       LATERAL (SELECT now() - interval '10 minutes' + n * interval '30 milliseconds' AS at);
ANALYZE;
"""

#: How far two producers may get each other's messages out of order.
_SHUFFLED = 100


@dataclass
class SlowWorker:
    """Takes a few messages at a time, first in, first out, and claims their sends."""

    queue: Any
    store: Any
    leases: Any

    def __post_init__(self) -> None:
        self.worker = WorkerId("slow:1:1")
        self.marks = Marks()
        self.claimed: list[str] = []
        self.leases.renew(self.worker, timedelta(minutes=5))

    async def claim(self, count: int) -> None:
        for message in self.queue.rpop(redis_list(SEND_QUEUE, 0), count) or ():
            send = await self.store.sends.find(json.loads(message)["headers"]["id"])
            if await self.store.journal.claim(send, self.worker):
                self.marks.note(send)
                self.claimed.append(send.id)
        self.leases.raise_marks(self.marks.take())


@pytest.fixture
async def store(migrated_postgres_url):
    """A store of twenty thousand sends that were accepted, and wait."""
    with psycopg.connect(migrated_postgres_url, autocommit=True) as connection:
        connection.execute(ACCEPTED)
    store = open_store(migrated_postgres_url)
    yield store
    await store.close()


@pytest.fixture
async def dispatcher(redis_url):
    dispatcher = RedisDispatcher(redis_url)
    yield dispatcher
    await dispatcher.close()


@pytest.fixture
def worker(store, queue, migrated_postgres_url):
    leases = open_leases(migrated_postgres_url)
    yield SlowWorker(queue, store, leases)
    leases.close()


def nearly_in_order(numbers: list[int], chance: random.Random) -> list[int]:
    """The numbers, each at most so far from its place as racing producers put them."""
    return sorted(numbers, key=lambda number: number + chance.uniform(0, _SHUFFLED))


def dispatched_twice(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT id FROM powerloop.sends WHERE dispatches > 1")
        return {send_id for (send_id,) in found}


async def test_a_backlog_of_ten_minutes_is_not_published_twice_and_what_it_lost_is_found(
    store, dispatcher, worker, migrated_postgres_url
):
    chance = random.Random(20_000)
    lost = set(chance.sample(range(1, 1_000), 10))
    kept = [number for number in range(1, SENDS + 1) if number not in lost]
    await dispatcher.publish([make_activation(number) for number in nearly_in_order(kept, chance)])
    recovery = (store.recovery, store.task_recovery, store.workflow_recovery)
    sweeper = Sweeper(*recovery, dispatcher, SystemClock(), SweepOptions(age=timedelta(0)))
    for _ in range(60):
        await worker.claim(20)
        await sweeper.sweep()
    again = dispatched_twice(migrated_postgres_url)
    assert {f"send-{number}" for number in lost} <= again
    assert len(again) < SENDS / 100
    assert len(set(worker.claimed)) == len(worker.claimed) == 1_200
