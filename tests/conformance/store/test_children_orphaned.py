"""Sub-agents whose parents end, or whose parents' sessions are closed or removed."""

import asyncio

import pytest

from powerloop.kernel.errors import SessionBusy, SessionNotFound
from powerloop.kernel.ids import SessionId
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendError, SendStatus
from powerloop.kernel.sessions import Lifecycle, SessionStatus
from powerloop.kernel.subagents import PARENT_ENDED
from tests.conformance.store.family import ended, parent_of

ENDINGS = {
    "cancelled": lambda: Ending.cancelled(rounds=1),
    "failed": lambda: Ending.failed(SendError(code="internal", message="oh"), rounds=1),
}
BOUND = [one for one in Lifecycle if one.is_bound]


async def end(desk, claim, how):
    if how == "cancelled":
        await desk.store.sends.cancel(claim.send.id)
    await desk.store.journal.finish(claim.fence, ENDINGS[how](), claim.send.lineage)


async def orphans(desk, limit=10):
    return [send.id for send in await desk.store.recovery.cancel_orphans(limit)]


async def status_of(desk, session_id):
    return (await desk.store.sessions.find(session_id)).status


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("lifecycle", BOUND)
async def test_the_end_of_what_is_bound_to_a_parent_that_ended_is_asked_for(desk, how, lifecycle):
    claim, started = await parent_of(desk, "a", "b", "c", awaited=False, lifecycle=lifecycle)
    queued, waiting, running = started
    await parent_of(desk, "d", claim=await desk.claimed(waiting, "worker-2"))
    await desk.claimed(running, "worker-3")
    assert await orphans(desk) == []

    await end(desk, claim, how)
    assert set(await orphans(desk)) == {queued.id, waiting.id}
    now = [await desk.store.sends.find(send.id) for send in started]
    assert [send.status for send in now] == [SendStatus.QUEUED, SendStatus.QUEUED, SendStatus.RUNNING]
    assert {send.cancel.reason for send in now} == {PARENT_ENDED}
    assert now[0].dispatched_at > queued.dispatched_at
    assert await orphans(desk) == []


async def test_orphans_of_orphans_follow_when_those_have_ended(desk):
    claim, (middle,) = await parent_of(desk, "a", awaited=False)
    _, (leaf,) = await parent_of(desk, "b", claim=await desk.claimed(middle, "worker-2"))
    await end(desk, claim, "cancelled")
    assert await orphans(desk) == [middle.id]
    heir = await desk.claimed(await desk.store.sends.find(middle.id), "worker-3")
    await desk.store.journal.finish(heir.fence, Ending.cancelled(rounds=1), middle.lineage)
    assert await orphans(desk) == [leaf.id]


async def test_a_parent_that_is_done_or_at_work_leaves_its_sub_agents_alone(desk):
    claim, (started, other) = await parent_of(desk, "a", "b", awaited=False)
    assert await orphans(desk) == []
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert await orphans(desk) == []
    assert (await ended(desk, started)).parent.session_id == claim.send.session_id
    assert (await desk.store.sends.find(other.id)).cancel is None


async def test_a_detached_sub_agent_is_no_orphan(desk):
    claim, _ = await parent_of(desk, "a", awaited=False, lifecycle=Lifecycle.DETACHED)
    await end(desk, claim, "failed")
    assert await orphans(desk) == []


async def test_an_orphan_whose_end_was_asked_for_before_keeps_its_reason(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    running = await desk.claimed(started, "worker-2")
    await desk.store.sends.cancel(started.id, reason="mine")
    await end(desk, claim, "failed")
    assert await orphans(desk) == []
    assert (await desk.send_of(running)).cancel.reason == "mine"


async def test_no_more_orphans_are_found_than_asked_for(desk):
    claim, started = await parent_of(desk, "a", "b", "c", awaited=False)
    await end(desk, claim, "failed")
    first = await orphans(desk, 2)
    assert len(first) == 2
    assert {*first, *await orphans(desk, 2)} == {send.id for send in started}


async def test_each_orphan_is_found_by_one_of_many(desk):
    claim, started = await parent_of(desk, *"abcdefgh", awaited=False)
    await end(desk, claim, "failed")
    found = await asyncio.gather(*(orphans(desk) for _ in range(6)))
    left = await orphans(desk)
    every = [send_id for one in (*found, left) for send_id in one]
    assert sorted(every) == sorted(send.id for send in started)


async def test_closing_a_session_closes_those_that_are_bound_to_it(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    _, (leaf,) = await parent_of(desk, "c", claim=await desk.claimed(first, "worker-2"))
    _, (detached,) = await parent_of(
        desk, "d", claim=await desk.claimed(second, "worker-3"), lifecycle=Lifecycle.DETACHED
    )
    closed = await desk.store.sessions.close(claim.send.session_id)
    assert (closed.id, closed.status) == (claim.send.session_id, SessionStatus.CLOSED)
    for send in (first, second, leaf):
        assert await status_of(desk, send.session_id) is SessionStatus.CLOSED
    assert await status_of(desk, detached.session_id) is SessionStatus.OPEN
    assert (await ended(desk, leaf, worker="worker-4")).parent.id == first.id


async def test_closing_the_session_of_a_sub_agent_leaves_its_parent_open(desk):
    claim, (started,) = await parent_of(desk, "a")
    await desk.store.sessions.close(started.session_id)
    assert await status_of(desk, claim.send.session_id) is SessionStatus.OPEN


async def test_removing_a_session_removes_those_that_are_bound_to_it(desk):
    claim, (first, second) = await parent_of(desk, "a", "b", awaited=False)
    middle, (leaf,) = await parent_of(desk, "c", claim=await desk.claimed(first, "worker-2"))
    await ended(desk, leaf, worker="worker-3")
    await ended(desk, await desk.send_of(middle))
    await desk.store.journal.finish(claim.fence, desk.completed())
    await ended(desk, second)
    for late in await desk.store.sends.list(session_id=claim.send.session_id, status=SendStatus.QUEUED):
        await desk.store.sends.cancel(late.id)

    await desk.store.sessions.delete(claim.send.session_id)
    for session_id in (claim.send.session_id, first.session_id, second.session_id, leaf.session_id):
        assert await desk.store.sessions.find(session_id) is None
    assert await desk.store.sends.find(leaf.id) is None
    with pytest.raises(SessionNotFound):
        await desk.store.sessions.delete(claim.send.session_id)


async def test_a_session_is_not_removed_while_one_that_is_bound_to_it_is_busy(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    _, (leaf,) = await parent_of(desk, "b", claim=await desk.claimed(started, "worker-2"))
    await desk.store.journal.finish(claim.fence, desk.completed())
    with pytest.raises(SessionBusy) as refused:
        await desk.store.sessions.delete(claim.send.session_id)
    assert refused.value.session_id in (started.session_id, leaf.session_id)
    for session_id in (claim.send.session_id, started.session_id, leaf.session_id):
        assert await desk.store.sessions.find(session_id) is not None


async def test_a_detached_session_outlives_the_removal_of_its_parents(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False, lifecycle=Lifecycle.DETACHED)
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.delete(claim.send.session_id)
    assert (await desk.store.sessions.find(started.session_id)).pending == 1


async def test_all_that_locks_a_tree_does_so_in_one_order(desk):
    """Closes, cancels, starts and ends at once: none of them waits for another for ever."""
    for _ in range(5):
        claim, started = await parent_of(desk, *"abcdef")
        claims = [await desk.claimed(send, f"worker-{number}") for number, send in enumerate(started)]
        leaves = [leaf for one in claims[:2] for leaf in (await parent_of(desk, "x", claim=one))[1]]
        await asyncio.gather(
            *(parent_of(desk, "y", claim=one) for one in claims[2:4]),
            *(desk.store.journal.finish(one.fence, desk.completed(), one.send.lineage) for one in claims[4:]),
            *(desk.store.sends.cancel(leaf.id) for leaf in leaves),
            desk.store.sessions.close(claim.send.session_id),
            desk.store.sessions.close(SessionId(started[0].session_id)),
            desk.store.sends.cancel(claim.send.id),
        )
        assert await status_of(desk, claim.send.session_id) is SessionStatus.CLOSED
