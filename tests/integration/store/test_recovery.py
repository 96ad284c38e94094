"""Recovery on Postgres: sweepers at once, claims that race with them, steps left half done, and the cost."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event

from powerloop.kernel.ids import WorkerId
from powerloop.kernel.queues import SEND_QUEUE, Lane, lanes_of
from powerloop.kernel.sends import SendStatus
from powerloop.store import open_store

LONG = timedelta(minutes=5)
HOLD = "SELECT 1 FROM powerloop.sessions WHERE id = 'session' FOR UPDATE"

#: Two thousand sessions whose head was just dispatched, as many whose head runs, and five sends behind each.
MANY = """
INSERT INTO powerloop.worker_leases
SELECT 'worker-' || n, now(), now(), now() + interval '1 hour' FROM generate_series(0, 9) AS n;
INSERT INTO powerloop.lane_marks SELECT 'powerloop.send', n, now() FROM generate_series(0, 9) AS n;
INSERT INTO powerloop.sessions
SELECT 'session-' || n, 'support', 'open', '{}', 0, 0, 6, 0, now(), now() FROM generate_series(1, 4000) AS n;
INSERT INTO powerloop.sends (
    id, session_id, position, status, owner, policy, content, priority, metadata, attempt, strikes,
    dispatches, epoch, rounds, input_tokens, output_tokens, cached_tokens, cache_write_tokens,
    reasoning_tokens, output,
    created_at, dispatched_at
)
SELECT n || '-' || p, 'session-' || n, p, CASE WHEN p = 1 AND n > 2000 THEN 'running' ELSE 'queued' END,
       'worker-' || n % 10, 'enqueue', '[]', n % 10, '{}', 0, 0, 1,
       0, 0, 0, 0, 0, 0, 0, '[]',
       now(), CASE WHEN p = 1 THEN now() END
  FROM generate_series(1, 4000) AS n, generate_series(1, 6) AS p;
INSERT INTO powerloop.interactions (
    id, kind, status, session_id, send_id, call_id, tool, arguments, prompt, actor, created_at, closed_at,
    expires_at
)
SELECT id, 'input', CASE WHEN priority = 0 THEN 'open' ELSE 'expired' END, session_id, id, 'c', 't', '{}',
       '?', '', now(), CASE WHEN priority <> 0 THEN now() END,
       now() + CASE WHEN priority = 0 THEN 1 ELSE -1 END * interval '1 hour'
  FROM powerloop.sends;
ANALYZE;
"""


@pytest.fixture
async def sweepers(migrated_postgres_url):
    """Recoveries of several processes."""
    stores = [open_store(migrated_postgres_url) for _ in range(4)]
    yield [store.recovery for store in stores]
    for store in stores:
        await store.close()


async def orphans(bench, count):
    """Running sends, each in a session of its own, whose owner has died."""
    claims = []
    for number in range(count):
        accepted = await bench.accept(f"send-{number}", f"session-{number}")
        claims.append(await bench.store.journal.claim(accepted.send, WorkerId("dead")))
    return claims


async def test_sweepers_at_once_return_no_send_twice(bench, sweepers):
    claims = await orphans(bench, 60)
    found = await asyncio.gather(*(sweeper.reclaim(25) for sweeper in sweepers for _ in range(6)))
    counts = Counter(send.id for sends in found for send in sends)
    # One that finds every session locked by another comes again a second later.
    while sends := await sweepers[0].reclaim(25):
        counts.update(send.id for send in sends)
    assert counts == {claim.send.id: 1 for claim in claims}


async def test_sweepers_at_once_publish_a_lost_send_once(bench, sweepers):
    sends = [(await bench.accept(f"send-{number}", f"session-{number}")).send for number in range(40)]
    mark = sends[-1].dispatched_at + timedelta(microseconds=1)
    await asyncio.to_thread(bench.leases.raise_marks, {Lane(SEND_QUEUE, 0): mark})
    margin = timedelta(0)
    found = await asyncio.gather(*(sweeper.overtaken(margin, 25) for sweeper in sweepers for _ in range(6)))
    counts = Counter(send.id for sends in found for send in sends)
    while left := await sweepers[0].overtaken(margin, 25):
        counts.update(send.id for send in left)
    assert counts == {send.id: 1 for send in sends}


async def test_a_locked_session_is_passed_over(bench, sweepers):
    claim, other = await bench.claimed("first"), (await orphans(bench, 1))[0]
    await asyncio.to_thread(bench.leases.release, WorkerId("worker"))
    await bench.other.execute("BEGIN")
    await bench.other.execute(HOLD)
    assert [send.id for send in await sweepers[0].reclaim(10)] == [other.send.id]
    await bench.other.execute("ROLLBACK")
    assert [send.id for send in await sweepers[0].reclaim(10)] == [claim.send.id]


async def test_what_was_claimed_by_one_that_lives_is_not_taken_from_it(bench, sweepers):
    await asyncio.to_thread(bench.leases.renew, WorkerId("heir"), LONG)
    claims = await orphans(bench, 40)
    heirs, *found = await asyncio.gather(
        asyncio.gather(*(bench.store.journal.claim(claim.send, WorkerId("heir")) for claim in claims)),
        *(sweeper.reclaim(10) for sweeper in sweepers),
    )
    # Whichever came first: a claim that was made holds, also where recovery had queued the send before it.
    for claim, heir in zip(claims, heirs, strict=True):
        send = await bench.store.sends.find(claim.send.id)
        assert heir is not None
        assert (send.status, send.owner, send.epoch) == (SendStatus.RUNNING, "heir", heir.fence.epoch)
    assert len({send.id for sends in found for send in sends}) == sum(map(len, found))


async def test_a_lease_that_is_renewed_while_recovery_looks_keeps_its_send(bench, sweepers, blocked):
    """The candidate is judged again after its locks: the update waits here, and then finds a live owner."""
    await bench.claimed("first")
    await asyncio.to_thread(bench.leases.release, WorkerId("worker"))
    await bench.other.execute("BEGIN")
    await bench.other.execute("SELECT 1 FROM powerloop.sends FOR UPDATE")
    reclaiming = asyncio.create_task(sweepers[0].reclaim(10))
    await blocked(reclaiming)
    await bench.other.execute("UPDATE powerloop.sends SET owner = 'heir'")
    await bench.other.execute("INSERT INTO powerloop.worker_leases VALUES ('heir', now(), now(), 'infinity')")
    await bench.other.execute("COMMIT")
    assert list(await reclaiming) == []


@pytest.mark.parametrize(
    "half_done",
    [
        "UPDATE powerloop.sessions SET finished = 1",
        "SELECT 1",
    ],
    ids=["the next head was not stamped", "the session was not moved on"],
)
async def test_a_session_whose_head_has_ended_is_moved_on(bench, sweepers, half_done):
    await bench.claimed("first")
    second, third = await bench.accept("second"), await bench.accept("third")
    await bench.other.execute(
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
        "WHERE id = 'first'"
    )
    await bench.other.execute(half_done)
    found = await asyncio.gather(*(sweeper.advance(10) for sweeper in sweepers))
    (head,) = [send for sends in found for send in sends]

    assert (head.id, head.status, second.is_head) == ("second", SendStatus.QUEUED, False)
    assert head.dispatched_at is not None
    assert (await bench.store.sessions.find(head.session_id)).finished == 1
    assert (await bench.store.sends.find(third.send.id)).dispatched_at is None
    assert list(await sweepers[0].advance(10)) == []


async def test_more_busy_sessions_than_are_looked_at_at_once_are_looked_at_in_turn(bench, monkeypatch):
    monkeypatch.setattr("powerloop.store.recovery._WINDOW", 3)
    for number in range(8):
        await bench.accept(f"first-{number}", f"session-{number}")
        await bench.accept(f"second-{number}", f"session-{number}")
    await bench.other.execute("UPDATE powerloop.sends SET dispatched_at = NULL WHERE id = 'first-7'")
    found = [[send.id for send in await bench.store.recovery.advance(10)] for _ in range(4)]
    assert found == [[], [], ["first-7"], []]


async def test_a_sweep_that_finds_nothing_does_not_read_all_sends_or_questions(bench):
    await bench.other.execute(MANY)
    statements = []

    def keep(_connection, _cursor, statement, parameters, *_):
        statements.append((statement, parameters))

    engine = bench.store._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    recovery, minute = bench.store.recovery, timedelta(minutes=1)
    found = [
        await recovery.reclaim(100),
        await recovery.overtaken(minute, 100),
        await recovery.overdue(minute, lanes_of(SEND_QUEUE), 100),
        await recovery.resume(100),
        await recovery.expire(100),
        await recovery.advance(100),
    ]
    assert not any(found)

    read = set()
    for statement, parameters in statements:
        if "powerloop." in statement:
            (row,) = await (
                await bench.other.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            ).fetchall()
            (plan,) = row.values()
            read |= {(node["Node Type"], node.get("Relation Name")) for node in nodes(plan[0]["Plan"])}
    assert ("Index Scan", "sends") in read
    assert ("Index Scan", "interactions") in read
    assert {("Seq Scan", table) for table in ("sends", "interactions")}.isdisjoint(read)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
