"""`Sends.accept`, where the session is busy: what each policy does to the send that has started."""

import asyncio

import pytest

from powerloop.kernel.errors import SessionBusy
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import CancelEffect, SendStatus
from powerloop.kernel.sessions import NewSession

ENDING = [Policy.INTERRUPT, Policy.ROLLBACK]
REASONS = {Policy.INTERRUPT: "interrupted by send new", Policy.ROLLBACK: "rolled back by send new"}


@pytest.fixture(params=ENDING)
def ending(request):
    """A policy that asks for the end of the send that has started."""
    return request.param


async def seen(desk, claim, send_id=None):
    """The texts that the model is to see."""
    return [message.text for message in await desk.store.journal.load_window(claim.fence.session_id, send_id)]


async def end(desk, claim):
    """End the send as whoever runs it does when its end was asked for."""
    return await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=claim.send.rounds))


@pytest.mark.parametrize("policy", list(Policy))
async def test_in_an_idle_session_each_is_a_plain_send(desk, policy):
    session = await desk.session()
    accepted = await desk.accept(session, "new", policy=policy)
    assert (accepted.created, accepted.is_head, accepted.send.policy) == (True, True, policy)
    assert (accepted.interrupted, accepted.ready) == (None, None)
    claim = await desk.claimed(accepted.send)
    assert claim.steering is False
    assert (await desk.session_of(claim)).steering == 0


@pytest.mark.parametrize("policy", list(Policy))
async def test_a_send_that_says_nothing_has_the_policy_of_its_session(desk, policy):
    session = await desk.store.sessions.create(
        NewSession(id=SessionId("session"), agent="support", policy=policy)
    )
    assert session.policy is policy
    assert (await desk.accept(session, "first")).send.policy is policy
    if policy is Policy.REJECT:
        with pytest.raises(SessionBusy):
            await desk.accept(session, "new")
    else:
        assert (await desk.accept(session, "new")).send.policy is policy


async def test_a_send_has_its_own_policy_before_that_of_its_session(desk):
    session = await desk.store.sessions.create(
        NewSession(id=SessionId("session"), agent="support", policy=Policy.REJECT)
    )
    await desk.accept(session)
    accepted = await desk.accept(session, policy=Policy.ENQUEUE)
    assert (accepted.send.policy, accepted.send.position) == (Policy.ENQUEUE, 2)


async def test_the_end_of_a_send_that_runs_is_asked_for(desk, ending):
    claim = await desk.running()
    accepted = await desk.accept(await desk.session_of(claim), "new", policy=ending)
    send = await desk.send_of(claim)

    assert accepted.interrupted == send
    assert accepted.ready is None
    assert (accepted.is_head, accepted.send.status) == (False, SendStatus.QUEUED)
    assert (send.status, send.owner) == (SendStatus.RUNNING, "worker-1")
    assert (send.cancel.reason, send.cancel.actor) == (REASONS[ending], "")
    committed = await desk.store.journal.commit_model(claim.fence, desk.asks("a"))
    assert committed.cancel_requested
    assert (await end(desk, claim)).next_head.id == "new"


async def test_a_send_that_waits_is_made_ready_for_a_worker_to_end_it(desk, ending):
    claim, _ = await desk.in_doubt("a")
    accepted = await desk.accept(await desk.session_of(claim), "new", policy=ending)
    send = await desk.send_of(claim)

    assert accepted.interrupted == accepted.ready == send
    assert (send.status, send.owner, send.cancel.reason) == (SendStatus.QUEUED, None, REASONS[ending])
    again = await desk.claimed(send, "worker-2")
    assert again.send.cancel == send.cancel


async def test_a_send_between_two_attempts_is_made_ready(desk, ending):
    claim = await desk.running()
    handed_over = await desk.store.journal.hand_over(claim.fence)
    accepted = await desk.accept(await desk.session_of(claim), "new", policy=ending)

    assert accepted.ready == accepted.interrupted == await desk.send_of(claim)
    assert accepted.ready.dispatched_at >= handed_over.dispatched_at
    assert accepted.ready.cancel.reason == REASONS[ending]


@pytest.mark.parametrize("policy", [Policy.ENQUEUE, Policy.STEER])
async def test_a_send_that_is_to_be_left_alone_is(desk, policy):
    claim = await desk.running()
    before = await desk.send_of(claim)
    accepted = await desk.accept(await desk.session_of(claim), "new", policy=policy)
    assert (accepted.interrupted, accepted.ready, accepted.is_head) == (None, None, False)
    assert await desk.send_of(claim) == before


async def test_a_send_that_has_not_started_keeps_its_turn(desk, ending):
    session = await desk.session()
    first = await desk.accept(session, "first")
    accepted = await desk.accept(session, "new", policy=ending)

    assert (accepted.interrupted, accepted.ready, accepted.is_head) == (None, None, False)
    assert await desk.store.sends.find(first.send.id) == first.send


async def test_sends_that_were_accepted_in_between_keep_their_turn(desk, ending):
    claim = await desk.running()
    session = await desk.session_of(claim)
    between = (await desk.accept(session, "between")).send
    await desk.accept(session, "new", policy=ending)

    assert (await desk.store.sends.find(between.id)) == between
    assert (await end(desk, claim)).next_head.id == "between"


async def test_an_interrupted_send_is_still_seen(desk):
    claim = await desk.running(text="first")
    await desk.accept(await desk.session_of(claim), "new", policy=Policy.INTERRUPT)
    await end(desk, claim)
    assert await seen(desk, claim, SendId("new")) == ["first"]


async def test_a_send_that_was_rolled_back_is_seen_by_itself_only(desk):
    before = await desk.running(text="before")
    await desk.store.journal.finish(before.fence, desk.completed("answer"))
    session = await desk.session_of(before)
    claim = await desk.claimed((await desk.accept(session, text="first")).send)
    await desk.accept(session, "new", policy=Policy.ROLLBACK)

    assert await seen(desk, claim, claim.send.id) == ["before", "answer", "first"]
    await end(desk, claim)
    assert await seen(desk, claim, SendId("new")) == ["before", "answer"]
    log = await desk.store.sessions.messages(session.id)
    assert [message.text for message in log] == ["before", "answer", "first"]


async def test_an_earlier_cancel_stands_and_a_rollback_marks_all_the_same(desk, ending):
    claim = await desk.running(text="first")
    await desk.store.sends.cancel(claim.send.id, reason="enough", actor="ada")
    accepted = await desk.accept(await desk.session_of(claim), "new", policy=ending)

    assert (accepted.interrupted.cancel.reason, accepted.interrupted.cancel.actor) == ("enough", "ada")
    await end(desk, claim)
    assert await seen(desk, claim) == ([] if ending is Policy.ROLLBACK else ["first"])


async def test_what_was_rolled_back_stays_so_when_it_is_interrupted_once_more(desk):
    claim = await desk.running(text="first")
    session = await desk.session_of(claim)
    await desk.accept(session, "new", policy=Policy.ROLLBACK)
    again = await desk.accept(session, "newer", policy=Policy.INTERRUPT)

    assert again.interrupted.cancel.reason == REASONS[Policy.ROLLBACK]
    await end(desk, claim)
    assert await seen(desk, claim) == []


@pytest.mark.parametrize("fields", [{"idempotency_key": "key"}, {}], ids=["by key", "by id"])
async def test_a_send_told_again_interrupts_nothing(desk, ending, fields):
    claim = await desk.running()
    session = await desk.session_of(claim)
    first = await desk.accept(session, "new", policy=ending, **fields)
    await end(desk, claim)
    await desk.claimed(first.send)
    again = await desk.accept(session, "new", policy=ending, **fields)

    assert (again.created, again.interrupted, again.ready) == (False, None, None)
    assert (again.send.status, again.send.cancel) == (SendStatus.RUNNING, None)
    assert (await desk.store.sessions.find(session.id)).accepted == 2


async def test_a_send_that_steers_told_again_is_counted_once(desk):
    claim = await desk.running()
    session = await desk.session_of(claim)
    for _ in range(2):
        await desk.accept(session, "new", policy=Policy.STEER)
    assert (await desk.session_of(claim)).steering == 1


async def test_racing_interrupts_ask_once_and_are_all_accepted(desk, ending):
    claim = await desk.running()
    session = await desk.session_of(claim)
    sends = [desk.new_send(session, f"new-{number}", policy=ending) for number in range(4)]
    accepted = await asyncio.gather(*map(desk.store.sends.accept, sends))

    assert sorted(one.send.position for one in accepted) == [2, 3, 4, 5]
    first = min(accepted, key=lambda one: one.send.position)
    assert {one.interrupted.cancel for one in accepted} == {first.interrupted.cancel}
    assert first.interrupted.cancel.reason.endswith(first.send.id)


async def test_a_send_that_was_cancelled_before_it_started_is_not_interrupted(desk, ending):
    session = await desk.session()
    head = (await desk.accept(session, "head")).send
    assert (await desk.store.sends.cancel(head.id)).effect is CancelEffect.CANCELLED
    accepted = await desk.accept(session, "new", policy=ending)
    assert (accepted.is_head, accepted.interrupted) == (True, None)
