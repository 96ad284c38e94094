"""`Journal.suspend`: a send that waits for people."""

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.interactions import InteractionKind, InteractionStatus
from powerloop.kernel.ports.journal import Ending, ResultsCommit
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.suspension import Suspended, Suspension


async def doubtful(desk, *call_ids, worker="worker-1"):
    """The claim of a send whose calls may have taken effect in a process that died."""
    claim = await desk.running(worker)
    await desk.asked(claim, *call_ids, effect=Effect.ONCE)
    await desk.store.journal.start_calls(claim.fence, call_ids)
    return claim


async def test_a_suspended_send_waits_with_its_calls_in_doubt(desk):
    claim = await doubtful(desk, "a", "b")
    suspended = await desk.store.journal.suspend(claim.fence, desk.doubts("b"))

    assert suspended == Suspended(waiting=True, cancel_requested=False)
    send = await desk.send_of(claim)
    assert (send.status, send.ended_at) == (SendStatus.WAITING, None)
    assert (send.attempt, send.rounds, send.epoch) == (1, 1, 1)
    calls = await desk.store.journal.load_calls(claim.send.id)
    assert [call.status for call in calls] == [CallStatus.RUNNING, CallStatus.IN_DOUBT]
    assert calls[1].started_at is not None
    session = await desk.session_of(claim)
    assert (session.seq, session.epoch, session.finished) == (2, 1, 0)


async def test_a_suspended_send_opens_its_questions(desk):
    claim = await doubtful(desk, "a", "b")
    suspension = desk.doubts("a", "b")
    await desk.store.journal.suspend(claim.fence, suspension)

    asked = {one.call_id: one for one in await desk.store.interactions.list(send_id=claim.send.id)}
    assert [asked[name].id for name in "ab"] == [question.id for question in suspension.interactions]
    one = asked["a"]
    assert (one.kind, one.status) == (InteractionKind.IN_DOUBT, InteractionStatus.OPEN)
    assert (one.session_id, one.send_id) == (claim.send.session_id, claim.send.id)
    assert (one.tool, one.arguments, one.prompt) == ("look", {"at": "home"}, "Did a happen?")
    assert (one.answer, one.actor, one.closed_at) == (None, "", None)


async def test_waiting_takes_the_strikes_back(desk):
    claim = await desk.taken_over(await doubtful(desk, "a"), "worker-2")
    assert claim.send.strikes == 1
    await desk.store.journal.suspend(claim.fence, desk.doubts("a"))
    assert (await desk.send_of(claim)).strikes == 0


async def test_a_send_whose_end_was_asked_for_does_not_wait(desk):
    claim = await doubtful(desk, "a")
    await desk.store.sends.cancel(claim.send.id)
    before = await desk.everything(claim)

    suspended = await desk.store.journal.suspend(claim.fence, desk.doubts("a"))
    assert suspended == Suspended(waiting=False, cancel_requested=True)
    assert await desk.everything(claim) == before
    await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=1))


async def test_a_waiting_send_keeps_its_place(desk):
    claim = await doubtful(desk, "a")
    later = (await desk.accept(await desk.session_of(claim))).send
    await desk.store.journal.suspend(claim.fence, desk.doubts("a"))
    assert await desk.store.journal.is_head(claim.send)
    assert await desk.store.journal.claim(later, WorkerId("worker-2")) is None


async def test_a_call_that_has_ended_is_not_in_doubt(desk):
    claim = await doubtful(desk, "a", "b")
    ended = ResultsCommit(outcomes=(desk.done("a"),), message=None)
    await desk.store.journal.commit_results(claim.fence, ended)
    await desk.store.journal.suspend(claim.fence, desk.doubts("a", "b"))

    calls = await desk.store.journal.load_calls(claim.send.id)
    assert [call.status for call in calls] == [CallStatus.DONE, CallStatus.IN_DOUBT]
    assert [one.call_id for one in await desk.store.interactions.list()] == ["b"]


async def test_a_send_none_of_whose_calls_wait_runs_on(desk):
    claim = await doubtful(desk, "a")
    ended = ResultsCommit(outcomes=(desk.done("a"),), message=None)
    await desk.store.journal.commit_results(claim.fence, ended)
    for nothing in (Suspension(), desk.doubts("a")):
        suspended = await desk.store.journal.suspend(claim.fence, nothing)
        assert suspended == Suspended(waiting=False, cancel_requested=False)
    send = await desk.send_of(claim)
    assert (send.status, send.owner) == (SendStatus.RUNNING, claim.send.owner)
    assert list(await desk.store.interactions.list()) == []
    await desk.store.journal.finish(claim.fence, desk.completed())
