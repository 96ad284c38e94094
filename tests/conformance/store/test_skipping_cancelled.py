"""A session passes over sends that were cancelled while they waited for their turn."""

import asyncio

import pytest

from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus


async def queue(desk, count):
    """A running send, and `count` sends behind it."""
    claim = await desk.running()
    session = await desk.session_of(claim)
    return claim, [(await desk.accept(session, f"behind-{number}")).send for number in range(count)]


async def finish(desk, claim):
    return (await desk.store.journal.finish(claim.fence, desk.completed())).next_head


async def test_the_next_head_is_the_next_send_that_has_not_ended(desk):
    claim, behind = await queue(desk, 4)
    for send in behind[:2]:
        await desk.store.sends.cancel(send.id)
    head = await finish(desk, claim)

    assert (head.id, head.position, head.status) == (behind[2].id, 4, SendStatus.QUEUED)
    assert head.dispatched_at is not None
    assert head == await desk.store.sends.find(head.id)
    session = await desk.session_of(claim)
    assert (session.finished, session.accepted, session.pending) == (3, 5, 2)
    assert (await desk.claimed(head)).seq == 3


async def test_a_session_whose_every_send_was_cancelled_is_idle(desk):
    claim, behind = await queue(desk, 3)
    for send in behind:
        await desk.store.sends.cancel(send.id)
    assert await finish(desk, claim) is None

    session = await desk.session_of(claim)
    assert (session.finished, session.pending) == (4, 0)
    accepted = await desk.accept(session, policy=Policy.REJECT)
    assert (accepted.is_head, accepted.send.position) == (True, 5)
    assert await desk.claimed(accepted.send)


@pytest.mark.parametrize("left", [0, 1], ids=["all of them", "all but the last"])
async def test_any_number_of_cancelled_sends_is_passed_over(desk, left):
    claim, behind = await queue(desk, 120)
    cancelled = behind[: len(behind) - left]
    await asyncio.gather(*(desk.store.sends.cancel(send.id) for send in cancelled))
    head = await finish(desk, claim)
    assert ([head.id] if head else []) == [send.id for send in behind[len(cancelled) :]]
    assert (await desk.session_of(claim)).pending == left


async def test_a_gap_in_the_middle_is_passed_over_when_it_is_reached(desk):
    claim, behind = await queue(desk, 3)
    await desk.store.sends.cancel(behind[1].id)
    head = await finish(desk, claim)
    assert head.id == behind[0].id
    head = await finish(desk, await desk.claimed(head))
    assert head.id == behind[2].id
    assert await finish(desk, await desk.claimed(head)) is None
    assert (await desk.session_of(claim)).pending == 0


async def test_a_cancelled_head_passes_over_the_cancelled_behind_it(desk):
    session = await desk.session()
    sends = [(await desk.accept(session)).send for _ in range(4)]
    for send in sends[1:3]:
        assert (await desk.store.sends.cancel(send.id)).ready is None
    assert (await desk.store.sends.cancel(sends[0].id)).ready.id == sends[3].id
    assert (await desk.store.sends.cancel(sends[3].id)).ready is None
    assert (await desk.store.sessions.find(session.id)).pending == 0


async def test_a_session_with_cancelled_sends_only_can_be_deleted(desk):
    claim, behind = await queue(desk, 1)
    await desk.store.sends.cancel(behind[0].id)
    await finish(desk, claim)
    await desk.store.sessions.delete(claim.fence.session_id)
    assert await desk.store.sends.list() == []


@pytest.mark.parametrize("others", [[], ["behind-1"]], ids=["alone", "with another cancelled before"])
async def test_of_a_finish_and_a_cancel_the_session_goes_on(desk, others):
    """However they interleave: nothing that is cancelled is named as the head, and nothing else is lost."""
    for _ in range(10):
        claim = await desk.running()
        session = await desk.session_of(claim)
        first, second, third = [(await desk.accept(session)).send for _ in range(3)]
        if others:
            await desk.store.sends.cancel(second.id)
        finished, cancelled = await asyncio.gather(
            desk.store.journal.finish(claim.fence, desk.completed()), desk.store.sends.cancel(first.id)
        )
        named = [send.id for send in (finished.next_head, cancelled.ready) if send]
        following = third.id if others else second.id
        # The finish may name the first, cancelled a moment later: its message finds nothing to claim.
        assert named in ([following], [first.id, following])
        assert (await desk.store.sends.find(SendId(following))).dispatched_at is not None
        assert await desk.store.journal.claim(first, WorkerId("worker")) is None
        assert (await desk.claimed(await desk.store.sends.find(SendId(following)))).send.attempt == 1
