"""What a tick does while the send of the one before it has not ended, by the policy of its timer."""

from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.timers import Overlap, Schedule, TimerStatus
from tests.conformance.store.ticking import (
    HOUR,
    PAST,
    fire,
    hourly,
    made,
    outcomes_of,
    plan,
    sends_of,
)


async def running(desk, overlap, **fields):
    """A timer whose first send runs, with its session and the claim of that send."""
    session = await desk.session()
    timer = await made(desk, session, plan(schedule=hourly(), overlap=overlap, **fields))
    (send,) = (await fire(desk)).ready
    return session, timer, await desk.claimed(send)


async def test_by_enqueue_sends_wait_for_their_turn(desk):
    session, _, _ = await running(desk, Overlap.ENQUEUE)
    assert (await fire(desk)).ready == ()
    assert [send.status for send in await sends_of(desk, session)] == ["running", "queued"]


async def test_by_skip_no_send_is_made_until_the_one_before_has_ended(desk):
    session, timer, claim = await running(desk, Overlap.SKIP)
    await fire(desk)
    await fire(desk)
    assert len(await sends_of(desk, session)) == 1
    assert (await desk.store.timers.find(timer.id)).skips == 2
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await fire(desk)).count == 1
    assert await outcomes_of(desk, timer) == ["fired", "skipped", "skipped", "fired"]


async def test_by_buffer_one_a_tick_is_held_back_and_no_second_one(desk):
    session, timer, claim = await running(desk, Overlap.BUFFER_ONE)
    await fire(desk)
    held = await desk.store.timers.find(timer.id)
    assert (held.held_at, held.tick_at) == (PAST + HOUR, PAST + HOUR * 2)
    await fire(desk)
    await fire(desk)
    assert len(await sends_of(desk, session)) == 1
    await desk.store.timers.pause(timer.id, "")
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await fire(desk)).count == 0


async def test_a_tick_that_was_held_back_fires_as_itself_when_the_send_before_has_ended(desk):
    session, timer, claim = await running(desk, Overlap.BUFFER_ONE, max_fires=2)
    await fire(desk)
    await desk.store.journal.finish(claim.fence, desk.completed())
    fired = await fire(desk)
    assert fired.count == 1
    _, second = await sends_of(desk, session)
    assert second.metadata["timer_due_at"] == (PAST + HOUR).isoformat()
    found = await desk.store.timers.find(timer.id)
    assert (found.status, found.held_at) == (TimerStatus.DONE, None)


async def test_a_tick_that_is_released_leaves_the_next_one_as_it_was_postponed(desk):
    _, timer, claim = await running(desk, Overlap.BUFFER_ONE)
    await fire(desk)
    later = await desk.store.timers.postpone(timer.id, by=HOUR, until=None)
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await fire(desk)).count == 1
    found = await desk.store.timers.find(timer.id)
    assert (found.tick_at, found.due_at, found.held_at) == (later.tick_at, later.due_at, None)


async def test_a_tick_that_is_held_back_waits_for_a_triggered_send_too(desk):
    _, timer, claim = await running(desk, Overlap.BUFFER_ONE)
    await fire(desk)
    await desk.store.timers.trigger(timer.id)
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await fire(desk)).count == 0


async def test_a_timer_whose_end_has_come_still_fires_the_tick_that_is_held_back(desk):
    session = await desk.session()
    schedule = hourly(end=PAST + HOUR)
    timer = await made(desk, session, plan(schedule=schedule, overlap=Overlap.BUFFER_ONE))
    (send,) = (await fire(desk)).ready
    claim = await desk.claimed(send)
    await fire(desk)
    held = await desk.store.timers.find(timer.id)
    assert (held.status, held.due_at, held.held_at) == (TimerStatus.ARMED, None, PAST + HOUR)
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert (await fire(desk)).count == 1
    assert (await desk.store.timers.find(timer.id)).status is TimerStatus.DONE


async def test_by_cancel_other_the_send_before_is_asked_to_end_and_the_new_one_waits_for_that(desk):
    session, timer, claim = await running(desk, Overlap.CANCEL_OTHER)
    fired = await fire(desk)
    assert [send.id for send in fired.ended] == [claim.send.id]
    first, second = await sends_of(desk, session)
    assert (first.status, first.cancel.reason) == (
        SendStatus.RUNNING,
        f"the timer {timer.id} fired again",
    )
    assert second.status is SendStatus.QUEUED


async def test_by_cancel_other_a_send_that_waits_gets_a_worker_to_end_it(desk):
    session = await desk.session()
    await made(desk, session, plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    (send,) = (await fire(desk)).ready
    await desk.claimed(send)
    desk.halt(send.id)
    fired = await fire(desk)
    assert [one.id for one in fired.ready] == [send.id]
    first, _ = await sends_of(desk, session)
    assert (first.status, first.cancel is not None) == (SendStatus.QUEUED, True)


async def test_by_cancel_other_a_send_that_has_not_started_is_cancelled_at_once(desk):
    session = await desk.session()
    blocker = (await desk.accept(session)).send
    await desk.claimed(blocker)
    await made(desk, session, plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    for _ in range(3):
        await fire(desk)
    assert [send.status for send in await sends_of(desk, session)] == [
        "running",
        "cancelled",
        "cancelled",
        "queued",
    ]


async def test_by_cancel_other_the_new_send_is_the_head_where_the_one_before_was_and_had_not_started(desk):
    session = await desk.session()
    await made(desk, session, plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    await fire(desk)
    fired = await fire(desk)
    first, second = await sends_of(desk, session)
    assert first.status is SendStatus.CANCELLED
    assert [send.id for send in fired.ready] == [second.id]
    assert (await desk.claimed(second)).send.id == second.id


async def test_two_timers_of_a_session_whose_head_is_cancelled_agree_on_its_next_head(desk):
    session = await desk.session()
    await made(desk, session, plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    await fire(desk)
    # Due before the other one, so that it has its turn first.
    early = plan(schedule=Schedule(at=PAST - HOUR))
    await made(desk, session, early)
    fired = await fire(desk)
    cancelled, second, third = await sends_of(desk, session)
    assert cancelled.status is SendStatus.CANCELLED
    assert [send.id for send in fired.ready] == [second.id]
    assert (second.dispatched_at is not None, third.dispatched_at) == (True, None)
    assert (await desk.claimed(second)).send.id == second.id


async def test_by_steer_the_send_becomes_part_of_the_one_that_runs(desk):
    session, _, claim = await running(desk, Overlap.STEER)
    await fire(desk)
    _, second = await sends_of(desk, session)
    assert second.policy is Policy.STEER
    assert (await desk.store.sessions.find(session.id)).steering == 1
    merged = await desk.store.journal.merge(claim.fence)
    assert [send.id for send in merged.sends] == [second.id]


async def test_with_fresh_sessions_each_policy_looks_at_the_send_before(desk):
    timer = await made(desk, plan_=plan(schedule=hourly(), overlap=Overlap.SKIP))
    (send,) = (await fire(desk)).ready
    await fire(desk)
    assert await outcomes_of(desk, timer) == ["fired", "skipped"]
    other = await made(desk, plan_=plan(schedule=hourly(), overlap=Overlap.CANCEL_OTHER))
    (cut,) = [one for one in (await fire(desk)).ready if one.metadata["timer_id"] == other.id]
    await desk.claimed(cut)
    assert [one.id for one in (await fire(desk)).ended] == [cut.id]
    assert send.id != cut.id
