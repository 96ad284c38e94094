"""Interleavings that the statements on Postgres are written for, forced by holding the session's row."""

import asyncio
from datetime import timedelta

import pytest

from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.messages import user_message
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.kernel.suspension import Suspension

MESSAGE = user_message("late")

HOLD = "SELECT 1 FROM powerloop.sessions WHERE id = 'session' FOR UPDATE"
LIVE_LEASE = (
    "INSERT INTO powerloop.worker_leases VALUES (%(worker)s, now(), now(), now() + %(ttl)s * interval '1 s') "
    "ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at"
)
#: What another producer's accept does, in steps that can be held apart.
ACCEPT = (
    "WITH counted AS (UPDATE powerloop.sessions SET accepted = accepted + 1 WHERE id = 'session' "
    "RETURNING accepted, accepted = finished + 1 AS is_head) "
    "INSERT INTO powerloop.sends (id, session_id, position, status, policy, content, idempotency_key, "
    "priority, metadata, attempt, strikes, dispatches, epoch, rounds, input_tokens, output_tokens, "
    "cached_tokens, cache_write_tokens, reasoning_tokens, output, created_at) "
    "SELECT %(id)s, 'session', accepted, 'queued', 'enqueue', '[]', %(key)s, 0, "
    "'{}', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '[]', clock_timestamp() FROM counted "
    "RETURNING (SELECT is_head FROM counted)"
)


async def test_a_finish_finds_the_head_that_was_accepted_while_it_waited(bench, blocked):
    claim = await bench.claimed("first")
    await bench.other.execute("BEGIN")
    (accepted,) = await bench.rows(ACCEPT, id="second", key=None)
    finishing = asyncio.create_task(bench.store.journal.finish(claim.fence, bench.completed()))
    await blocked(finishing)
    await bench.other.execute("COMMIT")
    finished = await finishing

    # The producer was told that it is not the head: only we can publish it.
    assert not accepted["is_head"]
    assert finished.next_head is not None
    assert (finished.next_head.id, finished.next_head.agent, finished.seq) == ("second", "support", 2)
    (row,) = await bench.rows("SELECT dispatched_at, dispatches FROM powerloop.sends WHERE id = 'second'")
    assert (row["dispatched_at"], row["dispatches"]) == (finished.next_head.dispatched_at, 1)


async def test_an_accept_that_waits_for_a_finish_is_the_head(bench, blocked):
    await bench.claimed("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute(
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
        "WHERE id = 'first'"
    )
    await bench.other.execute("UPDATE powerloop.sessions SET finished = 1 WHERE id = 'session'")
    accepting = asyncio.create_task(bench.accept("second"))
    await blocked(accepting)
    await bench.other.execute("COMMIT")
    accepted = await accepting

    assert (accepted.is_head, accepted.send.position) == (True, 2)
    (row,) = await bench.rows("SELECT dispatched_at FROM powerloop.sends WHERE id = 'second'")
    assert row["dispatched_at"] is not None


@pytest.mark.parametrize("twin", ["same key", "same id"])
async def test_an_accept_finds_the_twin_that_came_first_while_it_waited(bench, blocked, twin):
    await bench.accept("before")
    await bench.other.execute("BEGIN")
    await bench.rows(ACCEPT, id="twin", key="key")
    await bench.other.execute(
        """UPDATE powerloop.sends SET content = '[{"type": "text", "text": "hello"}]'"""
    )
    new = {"same key": ("late", "key"), "same id": ("twin", None)}[twin]
    accepting = asyncio.create_task(bench.accept(new[0], idempotency_key=new[1]))
    await blocked(accepting)
    await bench.other.execute("COMMIT")
    accepted = await accepting

    assert (accepted.send.id, accepted.created, accepted.is_head) == ("twin", False, False)
    (row,) = await bench.rows("SELECT accepted FROM powerloop.sessions")
    assert row["accepted"] == 2


async def test_a_claim_that_waited_sees_who_won(bench, blocked):
    accepted = await bench.accept("first")
    await bench.rows(LIVE_LEASE + " RETURNING id", worker="winner", ttl=300)
    await bench.other.execute("BEGIN")
    await bench.other.execute(HOLD)
    claiming = asyncio.create_task(bench.store.journal.claim(accepted.send, WorkerId("late")))
    await blocked(claiming)
    await bench.other.execute("UPDATE powerloop.sessions SET epoch = 1, seq = 1")
    await bench.other.execute("UPDATE powerloop.sends SET status = 'running', owner = 'winner', epoch = 1")
    await bench.other.execute("COMMIT")

    assert await claiming is None
    (row,) = await bench.rows("SELECT epoch, seq FROM powerloop.sessions")
    assert (row["epoch"], row["seq"]) == (1, 1)
    assert await bench.rows("SELECT 1 FROM powerloop.messages") == []


async def test_a_claim_does_not_take_from_an_heir_whose_lease_it_cannot_see(bench, blocked):
    """The heir's lease was made after the snapshot of the statement that waits."""
    claim = await bench.claimed("first", "dead")
    await asyncio.to_thread(bench.leases.release, WorkerId("dead"))
    await bench.other.execute("BEGIN")
    await bench.other.execute(HOLD)
    claiming = asyncio.create_task(bench.store.journal.claim(claim.send, WorkerId("late")))
    await blocked(claiming)
    await asyncio.to_thread(bench.leases.renew, WorkerId("heir"), timedelta(minutes=5))
    await bench.other.execute("UPDATE powerloop.sessions SET epoch = 2")
    await bench.other.execute("UPDATE powerloop.sends SET owner = 'heir', epoch = 2, attempt = 2")
    await bench.other.execute("COMMIT")

    assert await claiming is None
    send = await bench.store.sends.find(claim.send.id)
    assert (send.owner, send.attempt) == ("heir", 2)


async def test_a_claim_does_not_take_from_an_owner_who_renewed_while_it_waited(bench, blocked, eventually):
    claim = await bench.claimed("first", "owner")
    await asyncio.to_thread(bench.leases.renew, WorkerId("owner"), timedelta(seconds=0.5))
    await bench.other.execute("BEGIN")
    await bench.other.execute(HOLD)
    claiming = asyncio.create_task(bench.store.journal.claim(claim.send, WorkerId("late")))
    await blocked(claiming)

    async def seen_lease_has_run_out():
        query = (
            "SELECT clock_timestamp() > expires_at AS over FROM powerloop.worker_leases WHERE id = 'owner'"
        )
        return (await bench.rows(query))[0]["over"]

    await eventually(seen_lease_has_run_out, "the lease that the statement saw has run out")
    await asyncio.to_thread(bench.leases.renew, WorkerId("owner"), timedelta(minutes=5))
    await bench.other.execute("COMMIT")
    assert await claiming is None


async def test_a_claim_that_waited_for_a_finish_gets_the_next_send(bench, blocked):
    await bench.claimed("first")
    second = await bench.accept("second")
    await bench.other.execute("BEGIN")
    await bench.other.execute(HOLD)
    claiming = asyncio.create_task(bench.store.journal.claim(second.send, WorkerId("worker")))
    await blocked(claiming)
    await bench.other.execute(
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
        "WHERE id = 'first'"
    )
    await bench.other.execute("UPDATE powerloop.sessions SET finished = 1, seq = 7")
    await bench.other.execute("COMMIT")
    claim = await claiming
    assert (claim.send.status, claim.seq, claim.fence.epoch) == (SendStatus.RUNNING, 8, 2)


WRITES = {
    "commit_model": lambda journal, fence: journal.commit_model(
        fence, ModelCommit(round=1, message=MESSAGE, calls=(), entries=())
    ),
    "start_calls": lambda journal, fence: journal.start_calls(fence, []),
    "commit_results": lambda journal, fence: journal.commit_results(
        fence, ResultsCommit(outcomes=(), message=MESSAGE)
    ),
    "suspend": lambda journal, fence: journal.suspend(fence, Suspension()),
    "finish": lambda journal, fence: journal.finish(
        fence, Ending.completed(StopReason.END_TURN, rounds=1, output=(), messages=(MESSAGE,))
    ),
    "hand_over": lambda journal, fence: journal.hand_over(fence),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_that_waited_for_a_take_over_is_fenced(bench, blocked, write):
    claim = await bench.claimed("first")
    await bench.other.execute("BEGIN")
    await bench.other.execute("UPDATE powerloop.sessions SET epoch = 2")
    await bench.other.execute("UPDATE powerloop.sends SET owner = 'heir', epoch = 2, attempt = 2")
    writing = asyncio.create_task(write(bench.store.journal, claim.fence))
    await blocked(writing)
    await bench.other.execute("COMMIT")
    with pytest.raises(Fenced):
        await writing

    send = await bench.store.sends.find(claim.send.id)
    assert (send.status, send.owner, send.attempt, send.rounds) == (SendStatus.RUNNING, "heir", 2, 0)
    assert len(await bench.store.journal.load_window(claim.fence.session_id)) == 1


async def test_a_finish_that_waited_for_its_own_earlier_try_is_fenced(bench, blocked):
    """A connection may break while the server still works on the statement, which is then sent again."""
    claim = await bench.claimed("first")
    await bench.accept("second")
    await bench.other.execute("BEGIN")
    await bench.other.execute(
        "UPDATE powerloop.sends SET status = 'completed', stop_reason = 'end_turn', ended_at = now() "
        "WHERE id = 'first'"
    )
    await bench.other.execute("UPDATE powerloop.sessions SET finished = 1")
    finishing = asyncio.create_task(bench.store.journal.finish(claim.fence, bench.completed()))
    await blocked(finishing)
    await bench.other.execute("COMMIT")
    with pytest.raises(Fenced):
        await finishing
    session = await bench.store.sessions.find(claim.fence.session_id)
    assert (session.finished, session.seq) == (1, 1)
