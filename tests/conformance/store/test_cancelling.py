"""`Sends.cancel`: what asking for the end of a send comes to, in each state that it may be in."""

import asyncio
from collections import Counter

import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.ports.journal import Committed, Ending
from powerloop.kernel.sends import CancelEffect, SendStatus


async def cancel(desk, send, reason="enough", actor="ada"):
    return await desk.store.sends.cancel(send.id, reason=reason, actor=actor)


async def test_a_send_that_has_not_started_is_cancelled_at_once(desk):
    accepted = await desk.accept(await desk.session())
    cancelled = await cancel(desk, accepted.send)

    assert (cancelled.send_id, cancelled.effect) == (accepted.send.id, CancelEffect.CANCELLED)
    assert cancelled.ready is None
    send = cancelled.send
    assert send == await desk.store.sends.find(accepted.send.id)
    assert (send.status, send.attempt, send.started_at) == (SendStatus.CANCELLED, 0, None)
    assert (send.cancel.reason, send.cancel.actor) == ("enough", "ada")
    assert send.created_at <= send.cancel.at <= send.ended_at
    assert (send.stop_reason, send.error, send.output) == (None, None, ())


async def test_a_send_that_was_cancelled_at_once_leaves_no_trace_in_the_log(desk):
    session = await desk.session()
    accepted = await desk.accept(session)
    await cancel(desk, accepted.send)
    assert list(await desk.store.journal.load_window(session.id)) == []
    assert await desk.store.journal.claim(accepted.send, WorkerId("worker")) is None
    assert (await desk.store.sessions.find(session.id)).pending == 0
    await desk.store.sessions.delete(session.id)


async def test_a_cancelled_head_makes_way_for_the_next_send(desk):
    session = await desk.session()
    first, second, third = [(await desk.accept(session)).send for _ in range(3)]
    cancelled = await cancel(desk, first)

    assert (cancelled.ready.id, cancelled.ready.status) == (second.id, SendStatus.QUEUED)
    assert cancelled.ready.dispatched_at is not None
    assert cancelled.ready == await desk.store.sends.find(second.id)
    assert await desk.store.journal.is_head(second)
    assert (await desk.store.sends.find(third.id)).dispatched_at is None
    assert await desk.claimed(cancelled.ready)


async def test_a_send_behind_the_head_is_cancelled_where_it_stands(desk):
    claim = await desk.running()
    behind = (await desk.accept(await desk.session_of(claim))).send
    before = await desk.everything(claim)
    cancelled = await cancel(desk, behind)

    assert (cancelled.effect, cancelled.ready) == (CancelEffect.CANCELLED, None)
    assert await desk.everything(claim) == before


async def test_a_running_send_is_asked_to_end(desk):
    claim = await desk.running()
    cancelled = await cancel(desk, claim.send)

    assert (cancelled.effect, cancelled.ready) == (CancelEffect.REQUESTED, None)
    send = cancelled.send
    assert (send.status, send.owner, send.ended_at) == (SendStatus.RUNNING, claim.send.owner, None)
    assert (send.cancel.reason, send.cancel.actor) == ("enough", "ada")
    assert send == await desk.send_of(claim)
    # Its worker goes on under the same fence, and ends it.
    await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=0))
    assert (await desk.send_of(claim)).status is SendStatus.CANCELLED


async def test_the_next_worker_learns_of_it_too(desk):
    claim = await desk.running()
    await cancel(desk, claim.send)
    again = await desk.taken_over(claim)
    assert again.send.cancel.reason == "enough"


async def test_a_running_send_may_end_otherwise_before_it_hears_of_it(desk):
    claim = await desk.running()
    await cancel(desk, claim.send)
    await desk.store.journal.finish(claim.fence, desk.completed("all done"))
    send = await desk.send_of(claim)
    assert (send.status, send.text, send.cancel.reason) == (SendStatus.COMPLETED, "all done", "enough")


async def test_a_send_that_was_given_back_is_for_a_worker_to_end(desk):
    claim = await desk.running()
    queued = await desk.store.journal.hand_over(claim.fence)
    cancelled = await cancel(desk, queued)

    assert (cancelled.effect, cancelled.send.status) == (CancelEffect.REQUESTED, SendStatus.QUEUED)
    assert cancelled.ready == cancelled.send
    assert cancelled.ready.dispatched_at > queued.dispatched_at
    assert (await desk.claimed(cancelled.ready)).send.cancel.reason == "enough"


async def test_a_waiting_send_is_for_a_worker_to_end(desk):
    claim, (question,) = await desk.in_doubt("a")
    cancelled = await cancel(desk, claim.send)

    assert (cancelled.effect, cancelled.send.status) == (CancelEffect.REQUESTED, SendStatus.QUEUED)
    assert cancelled.send.owner is None
    assert cancelled.ready == cancelled.send == await desk.send_of(claim)
    assert cancelled.ready.dispatched_at > claim.send.dispatched_at
    # The question stays until the worker closes the call.
    assert [one.id for one in await desk.store.interactions.list()] == [question]
    assert (await desk.claimed(cancelled.ready)).send.cancel.reason == "enough"


async def test_the_first_request_stands(desk):
    claim = await desk.running()
    first = await cancel(desk, claim.send, "first", "ada")
    again = await cancel(desk, claim.send, "second", "bob")
    assert (again.effect, again.send) == (CancelEffect.REQUESTED, first.send)


async def test_a_send_that_has_ended_stays_as_it_is(desk):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, desk.completed())
    before = await desk.everything(claim)
    cancelled = await cancel(desk, claim.send)
    assert (cancelled.effect, cancelled.ready) == (CancelEffect.ENDED, None)
    assert cancelled.send == await desk.send_of(claim)
    assert cancelled.send.cancel is None
    assert await desk.everything(claim) == before


async def test_cancelling_a_cancelled_send_changes_nothing(desk):
    accepted = await desk.accept(await desk.session())
    first = await cancel(desk, accepted.send)
    again = await cancel(desk, accepted.send, "again")
    assert (again.effect, again.send, again.ready) == (CancelEffect.ENDED, first.send, None)


async def test_an_accept_told_again_finds_the_cancelled_send(desk):
    session = await desk.session()
    await desk.accept(session, "send", idempotency_key="key")
    cancelled = await desk.store.sends.cancel(SendId("send"))
    for send_id in ("send", "other"):
        again = await desk.accept(session, send_id, idempotency_key="key")
        assert (again.send, again.created, again.is_head) == (cancelled.send, False, False)


async def test_a_cancel_of_what_is_not_known_is_remembered(desk):
    early = await desk.store.sends.cancel(SendId("early"), reason="too late", actor="ada")
    assert (early.send_id, early.effect) == ("early", CancelEffect.REMEMBERED)
    assert (early.send, early.ready) == (None, None)

    accepted = await desk.accept(await desk.session(), "early")
    assert (accepted.created, accepted.is_head, accepted.send.status) == (True, True, SendStatus.QUEUED)
    claim = await desk.claimed(accepted.send)
    assert (claim.send.cancel.reason, claim.send.cancel.actor) == ("too late", "ada")
    assert claim.send.cancel.at <= claim.send.created_at
    assert claim.send == await desk.send_of(claim)
    assert await desk.store.journal.commit_model(claim.fence, desk.asks()) == Committed(
        seq=2, cancel_requested=True
    )


async def test_other_sends_know_nothing_of_it(desk):
    await desk.store.sends.cancel(SendId("early"))
    assert (await desk.running(send_id="early-bird")).send.cancel is None


async def test_the_first_of_two_early_cancels_stands(desk):
    for reason in ("first", "second"):
        early = await desk.store.sends.cancel(SendId("early"), reason=reason)
        assert early.effect is CancelEffect.REMEMBERED
    assert (await desk.running(send_id="early")).send.cancel.reason == "first"


async def test_a_cancel_after_an_early_one_ends_the_send_for_its_reason(desk):
    await desk.store.sends.cancel(SendId("early"), reason="first")
    accepted = await desk.accept(await desk.session(), "early")
    cancelled = await cancel(desk, accepted.send, "second")
    assert (cancelled.effect, cancelled.send.cancel.reason) == (CancelEffect.CANCELLED, "first")


async def test_a_request_after_an_early_one_leaves_it_as_it_is(desk):
    await desk.store.sends.cancel(SendId("early"), reason="first")
    claim = await desk.running(send_id="early")
    cancelled = await cancel(desk, claim.send, "second")
    assert (cancelled.effect, cancelled.send) == (CancelEffect.REQUESTED, claim.send)


@pytest.mark.parametrize("send_id", ["", "x" * 201], ids=["empty", "too long"])
async def test_what_is_no_id_is_refused(desk, send_id):
    with pytest.raises(InvalidInput, match="a send's id"):
        await desk.store.sends.cancel(SendId(send_id))


async def test_of_twenty_cancels_at_once_one_counts(desk):
    session = await desk.session()
    first, second = [(await desk.accept(session)).send for _ in range(2)]
    cancelled = await asyncio.gather(*(cancel(desk, first, str(number)) for number in range(20)))

    assert Counter(one.effect for one in cancelled) == {CancelEffect.CANCELLED: 1, CancelEffect.ENDED: 19}
    assert [one.ready.id for one in cancelled if one.ready] == [second.id]
    assert len({one.send.cancel.reason for one in cancelled}) == 1
    assert (await desk.store.sessions.find(session.id)).finished == 1


async def test_of_a_cancel_and_an_accept_neither_is_lost(desk):
    """Whichever is first: the send is cancelled, or the worker that claims it is told."""
    for number in range(10):
        session, name = await desk.session(), f"send-{number}"
        cancelled, accepted = await asyncio.gather(
            desk.store.sends.cancel(SendId(name)), desk.accept(session, name)
        )
        if cancelled.effect is CancelEffect.CANCELLED:
            assert (await desk.store.sends.find(SendId(name))).status is SendStatus.CANCELLED
        else:
            assert cancelled.effect is CancelEffect.REMEMBERED
            assert (await desk.claimed(accepted.send)).send.cancel is not None


async def test_of_a_cancel_and_a_claim_the_later_one_knows_of_the_first(desk):
    desk.leases.renew(WorkerId("worker"), desk.LONG)
    for _ in range(10):
        accepted = await desk.accept(await desk.session())
        cancelled, claim = await asyncio.gather(
            cancel(desk, accepted.send), desk.store.journal.claim(accepted.send, WorkerId("worker"))
        )
        if claim is None:
            assert cancelled.effect is CancelEffect.CANCELLED
        else:
            assert cancelled.effect is CancelEffect.REQUESTED
            assert (await desk.send_of(claim)).cancel is not None
