"""`Journal.finish` and `Journal.hand_over`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import CallId, WorkerId
from powerloop.kernel.messages import Role
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendError, SendStatus, StopReason
from powerloop.kernel.usage import Usage


async def test_a_completed_send_has_its_output_and_its_reason(desk):
    claim = await desk.running()
    finished = await desk.store.journal.finish(claim.fence, desk.completed("bye", rounds=1, tokens=10))
    send = await desk.send_of(claim)

    assert (finished.seq, finished.next_head) == (2, None)
    assert (send.status, send.stop_reason, send.error) == (SendStatus.COMPLETED, StopReason.END_TURN, None)
    assert (send.text, send.rounds, send.attempt, send.epoch) == ("bye", 1, 1, 1)
    assert send.usage == Usage(
        input_tokens=10, output_tokens=11, cached_tokens=12, cache_write_tokens=13, reasoning_tokens=14
    )
    assert send.owner == claim.send.owner
    assert send.ended_at.utcoffset() == timedelta(0)
    assert send.started_at <= send.ended_at
    assert desk.ledger() == [(send.id, 1, 1, "scripted:demo", "round", "ok", None, 10, 11, 1500, False)]


async def test_a_finish_counts_on_the_session_and_appends_its_messages(desk):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, desk.completed("bye"))
    session = await desk.session_of(claim)
    window = await desk.store.journal.load_window(session.id)

    assert (session.accepted, session.finished, session.pending, session.seq, session.epoch) == (
        1,
        1,
        0,
        2,
        1,
    )
    assert [(m.seq, m.role, m.text) for m in window] == [(1, Role.USER, "hello"), (2, Role.ASSISTANT, "bye")]


async def test_a_finish_may_append_nothing_or_several_messages(desk):
    claim = await desk.running()
    ending = Ending.completed(StopReason.ROUND_LIMIT, rounds=3, output=())
    assert (await desk.store.journal.finish(claim.fence, ending)).seq == 1
    assert (await desk.send_of(claim)).stop_reason is StopReason.ROUND_LIMIT

    second = await desk.claimed((await desk.accept(await desk.session_of(claim))).send)
    messages = (desk.says("one"), desk.says("two"), desk.says("three"))
    ending = Ending.completed(StopReason.END_TURN, rounds=1, output=(), messages=messages)
    assert (await desk.store.journal.finish(second.fence, ending)).seq == 5
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [(m.seq, m.text) for m in window[2:]] == [(3, "one"), (4, "two"), (5, "three")]


async def test_a_cancelled_send_keeps_what_was_said_and_why_it_ended(desk):
    claim = await desk.running()
    await desk.store.sends.cancel(claim.send.id, reason="enough", actor="ada")
    said = replace(desk.says("half an ans"), metadata={"finish": "cancelled"})
    ending = Ending.cancelled(
        rounds=0, output=said.content, messages=(said,), entries=(desk.entry(tokens=5),)
    )
    finished = await desk.store.journal.finish(claim.fence, ending)
    send = await desk.send_of(claim)

    assert (finished.seq, finished.next_head) == (2, None)
    assert (send.status, send.stop_reason, send.error) == (SendStatus.CANCELLED, None, None)
    assert (send.text, send.rounds, send.usage.input_tokens) == ("half an ans", 0, 5)
    assert (send.cancel.reason, send.cancel.actor) == ("enough", "ada")
    assert send.cancel.at.utcoffset() == timedelta(0)
    assert send.ended_at >= send.cancel.at
    assert (await desk.session_of(claim)).finished == 1


@pytest.mark.parametrize("reason", StopReason)
async def test_every_stop_reason_is_kept(desk, reason):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, Ending.completed(reason, rounds=0, output=()))
    assert (await desk.send_of(claim)).stop_reason is reason


async def test_a_failed_send_has_its_error_and_closes_its_calls(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b")
    closed = tuple(
        ToolOutcome(call_id=CallId(name), status=CallStatus.FAILED, text="Not run.") for name in "ab"
    )
    ending = Ending.failed(
        SendError(code="model.rejected", message="no such model"),
        rounds=1,
        messages=(desk.results(*closed),),
        outcomes=closed,
        entries=(desk.entry(failed="model.rejected", tokens=1),),
    )
    finished = await desk.store.journal.finish(claim.fence, ending)
    send = await desk.send_of(claim)
    calls = await desk.store.journal.load_calls(send.id)

    assert finished.seq == 3
    assert (send.status, send.stop_reason, send.output) == (SendStatus.FAILED, None, ())
    assert send.error == SendError(code="model.rejected", message="no such model")
    assert (send.rounds, send.usage.input_tokens) == (1, 1)
    assert [(call.status, call.result) for call in calls] == [(CallStatus.FAILED, "Not run.")] * 2
    assert (await desk.store.journal.load_window(claim.fence.session_id))[-1].role is Role.TOOL
    # The failed call was that of the round after the last one that was committed.
    assert [row[:3] + row[6:7] for row in desk.ledger()] == [(send.id, 2, 1, "model.rejected")]


async def test_usage_adds_to_what_was_committed(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", entries=(desk.entry(tokens=100),))
    await desk.store.journal.finish(claim.fence, desk.completed(rounds=2, tokens=10))
    send = await desk.send_of(claim)
    assert (send.rounds, send.usage.input_tokens, send.usage.output_tokens) == (2, 110, 112)
    assert [row[:2] for row in desk.ledger()] == [(send.id, 1), (send.id, 2)]


async def test_a_finish_names_the_next_head(desk):
    claim = await desk.running()
    session = await desk.session_of(claim)
    second = (await desk.accept(session)).send
    await desk.accept(session)
    finished = await desk.store.journal.finish(claim.fence, desk.completed())

    assert finished.next_head is not None
    assert finished.next_head.dispatched_at is not None
    assert replace(finished.next_head, dispatched_at=None) == second
    assert await desk.store.sends.find(second.id) == finished.next_head


async def test_sends_of_a_session_end_in_the_order_of_their_acceptance(desk):
    session = await desk.session()
    sends = [(await desk.accept(session, text=f"input {number}")).send for number in range(4)]
    head, order = sends[0], []
    while head:
        claim = await desk.claimed(head)
        order.append(claim.send.id)
        head = (await desk.store.journal.finish(claim.fence, desk.completed())).next_head

    assert order == [send.id for send in sends]
    window = await desk.store.journal.load_window(session.id)
    assert [m.text for m in window if m.role is Role.USER] == [f"input {number}" for number in range(4)]
    assert [m.seq for m in window] == list(range(1, 9))


async def test_a_closed_session_runs_what_it_had_accepted(desk):
    claim = await desk.running()
    second = (await desk.accept(await desk.session_of(claim))).send
    await desk.store.sessions.close(claim.fence.session_id)
    finished = await desk.store.journal.finish(claim.fence, desk.completed())
    assert finished.next_head.id == second.id
    assert await desk.claimed(second)


async def test_a_handed_over_send_is_queued_with_its_attempt_given_back(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", entries=(desk.entry(),))
    queued = await desk.store.journal.hand_over(claim.fence)

    assert (queued.status, queued.attempt, queued.owner) == (SendStatus.QUEUED, 0, None)
    assert queued.dispatched_at > claim.send.dispatched_at
    assert (queued.id, queued.rounds, queued.usage.input_tokens) == (claim.send.id, 1, 10)
    assert await desk.send_of(claim) == queued
    assert (await desk.session_of(claim)).epoch == claim.fence.epoch


async def test_a_hand_over_gives_its_strike_back(desk):
    claim = await desk.taken_over(await desk.running())
    queued = await desk.store.journal.hand_over(claim.fence)
    assert (claim.send.strikes, queued.strikes, queued.attempt) == (2, 1, 1)

    again = await desk.claimed(queued)
    await desk.asked(again, "a")
    assert (await desk.store.journal.hand_over(again.fence)).strikes == 0


async def test_a_handed_over_send_goes_on_elsewhere_from_its_last_commit(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    queued = await desk.store.journal.hand_over(claim.fence)
    again = await desk.claimed(queued, WorkerId("worker-2"))

    assert (again.send.attempt, again.fence.epoch, again.seq, again.send.rounds) == (1, 2, 2, 1)
    assert again.send.started_at == claim.send.started_at
    window = await desk.store.journal.load_window(claim.fence.session_id)
    assert [m.role for m in window] == [Role.USER, Role.ASSISTANT]


async def test_a_handed_over_send_keeps_its_place(desk):
    claim = await desk.running()
    later = (await desk.accept(await desk.session_of(claim))).send
    queued = await desk.store.journal.hand_over(claim.fence)
    assert await desk.store.journal.claim(later, WorkerId("worker-2")) is None
    assert await desk.claimed(queued, "worker-2")
