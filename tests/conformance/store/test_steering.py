"""`Policy.STEER` and `Journal.merge`: sends that become messages of the one that has started."""

import pytest

from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import SendId
from powerloop.kernel.messages import Role
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Ending, ResultsCommit
from powerloop.kernel.sends import CancelEffect, SendStatus


async def steered(desk, *texts):
    """The claim of a send that runs, and behind it sends that steer; their ids are their texts."""
    claim = await desk.running(text="first")
    session = await desk.session_of(claim)
    for text in texts:
        await desk.accept(session, text, text, policy=Policy.STEER)
    return claim


async def status_of(desk, send_id):
    return (await desk.store.sends.find(SendId(send_id))).status


async def log_of(desk, claim):
    messages = await desk.store.sessions.messages(claim.fence.session_id)
    return [(message.role, message.text) for message in messages]


async def test_a_send_that_steers_is_counted_where_the_session_is_busy(desk):
    session = await desk.session()
    head = await desk.accept(session, "head")
    accepted = await desk.accept(session, "new", policy=Policy.STEER)
    assert (accepted.created, accepted.is_head, accepted.send.position) == (True, False, 2)
    assert (await desk.store.sessions.find(session.id)).steering == 1
    assert (await desk.claimed(head.send)).steering


async def test_commits_tell_of_sends_that_steer(desk):
    claim = await desk.running()
    assert not claim.steering
    assert not (await desk.store.journal.commit_model(claim.fence, desk.asks("a", "b"))).steering
    await desk.accept(await desk.session_of(claim), policy=Policy.STEER)
    results = ResultsCommit(outcomes=(desk.done("a"),), message=None)
    assert (await desk.store.journal.commit_results(claim.fence, results)).steering
    assert (await desk.store.journal.commit_model(claim.fence, desk.asks("c", number=2))).steering


async def test_merging_appends_the_inputs_in_order_and_ends_their_sends(desk):
    claim = await steered(desk, "left", "right")
    merged = await desk.store.journal.merge(claim.fence)

    assert (merged.seq, merged.cancel_requested) == (3, False)
    assert [send.id for send in merged.sends] == ["left", "right"]
    assert [message.metadata for message in merged.messages] == [{"merged": "left"}, {"merged": "right"}]
    messages = (await desk.store.sessions.messages(claim.fence.session_id))[1:]
    assert [message.content for message in messages] == [message.content for message in merged.messages]
    assert {(message.role, message.send_id, message.epoch) for message in messages} == {
        (Role.USER, claim.send.id, claim.fence.epoch)
    }
    assert [message.metadata for message in messages] == [{"merged": "left"}, {"merged": "right"}]
    for send in merged.sends:
        assert await desk.store.sends.find(send.id) == send
        assert (send.status, send.started_at) == (SendStatus.MERGED, None)
        assert send.ended_at >= send.created_at
    session = await desk.session_of(claim)
    assert (session.seq, session.steering, session.finished) == (3, 0, 0)


async def test_merging_takes_the_strikes_back(desk):
    claim = await desk.taken_over(await steered(desk, "left"))
    assert claim.send.strikes == 2
    await desk.store.journal.merge(claim.fence)
    assert (await desk.send_of(claim)).strikes == 0


async def test_merging_leaves_other_sends_to_their_turn(desk):
    claim = await desk.running()
    session = await desk.session_of(claim)
    others = [await desk.accept(session, policy=policy) for policy in (Policy.ENQUEUE, Policy.ENQUEUE)]
    await desk.accept(session, "steers", policy=Policy.STEER)
    assert [send.id for send in (await desk.store.journal.merge(claim.fence)).sends] == ["steers"]
    assert [await status_of(desk, one.send.id) for one in others] == [SendStatus.QUEUED] * 2


async def test_the_session_goes_on_behind_what_was_merged(desk):
    claim = await steered(desk, "left")
    session = await desk.session_of(claim)
    await desk.accept(session, "queued")
    await desk.accept(session, "right", policy=Policy.STEER)
    merged = await desk.store.journal.merge(claim.fence)
    finished = await desk.store.journal.finish(claim.fence, desk.completed())

    assert [send.id for send in merged.sends] == ["left", "right"]
    assert finished.next_head.id == "queued"
    last = await desk.claimed(finished.next_head)
    assert not last.steering
    assert (await desk.store.journal.finish(last.fence, desk.completed())).next_head is None
    session = await desk.session_of(claim)
    assert (session.finished, session.pending) == (4, 0)


async def test_a_send_that_steers_too_late_has_its_turn(desk):
    claim = await steered(desk, "left")
    finished = await desk.store.journal.finish(claim.fence, desk.completed())
    assert finished.next_head.id == "left"
    late = await desk.claimed(finished.next_head)
    merged = await desk.store.journal.merge(late.fence)

    assert (merged.sends, merged.messages, merged.seq) == ((), (), late.seq)
    assert (await desk.session_of(late)).steering == 0
    assert (await desk.send_of(late)).status is SendStatus.RUNNING


async def test_nothing_comes_between_a_call_and_its_result(desk):
    claim = await steered(desk, "left")
    await desk.asked(claim, "a")
    before = await desk.everything(claim)
    merged = await desk.store.journal.merge(claim.fence)
    assert (merged.sends, merged.messages, merged.seq) == ((), (), 2)
    assert await desk.everything(claim) == before

    outcome = desk.done("a")
    results = ResultsCommit(outcomes=(outcome,), message=desk.results(outcome))
    await desk.store.journal.commit_results(claim.fence, results)
    assert [send.id for send in (await desk.store.journal.merge(claim.fence)).sends] == ["left"]
    assert [role for role, _ in await log_of(desk, claim)] == ["user", "assistant", "tool", "user"]


async def test_a_send_whose_end_was_asked_for_takes_nothing_in(desk):
    claim = await steered(desk, "left")
    await desk.store.sends.cancel(claim.send.id)
    before = await desk.everything(claim)
    merged = await desk.store.journal.merge(claim.fence)

    assert merged.cancel_requested
    assert (merged.sends, merged.messages) == ((), ())
    assert await desk.everything(claim) == before
    finished = await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=0))
    assert finished.next_head.id == "left"


async def test_a_cancelled_send_is_not_merged(desk):
    claim = await steered(desk, "left", "right")
    assert (await desk.store.sends.cancel(SendId("left"))).effect is CancelEffect.CANCELLED
    merged = await desk.store.journal.merge(claim.fence)
    assert [send.id for send in merged.sends] == ["right"]
    assert await status_of(desk, "left") is SendStatus.CANCELLED
    assert (await desk.session_of(claim)).steering == 0


async def test_a_send_that_was_cancelled_before_it_was_accepted_is_not_merged(desk):
    claim = await desk.running()
    await desk.store.sends.cancel(SendId("left"), reason="never mind")
    await desk.accept(await desk.session_of(claim), "left", policy=Policy.STEER)
    assert (await desk.store.journal.merge(claim.fence)).sends == ()

    finished = await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await desk.claimed(finished.next_head)).send.cancel.reason == "never mind"


async def test_a_merged_send_is_final(desk):
    claim = await steered(desk, "left")
    await desk.store.journal.merge(claim.fence)
    cancellation = await desk.store.sends.cancel(SendId("left"))
    again = await desk.accept(await desk.session_of(claim), "left", "left", policy=Policy.STEER)
    assert cancellation.effect is CancelEffect.ENDED
    assert (again.created, again.send.status) == (False, SendStatus.MERGED)
    assert (await desk.session_of(claim)).steering == 0


async def test_what_was_merged_into_a_send_is_rolled_back_with_it(desk):
    claim = await steered(desk, "left")
    await desk.store.journal.merge(claim.fence)
    await desk.accept(await desk.session_of(claim), "new", policy=Policy.ROLLBACK)
    await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=0))
    assert list(await desk.store.journal.load_window(claim.fence.session_id, SendId("new"))) == []


async def test_who_has_lost_the_send_merges_nothing(desk):
    claim = await steered(desk, "left")
    await desk.taken_over(claim)
    before = await desk.everything(claim)
    with pytest.raises(Fenced):
        await desk.store.journal.merge(claim.fence)
    assert await desk.everything(claim) == before
