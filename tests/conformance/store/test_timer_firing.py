"""`Timers.fire`: each tick makes one send, and moves its timer on."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.messages import text_of
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendError, SendStatus
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.timers import CatchUp, Schedule, TimerStatus
from powerloop.timetable import CronTimetable
from tests.conformance.store.ticking import (
    HOUR,
    PAST,
    SECOND,
    TIMETABLE,
    due_again,
    fire,
    hourly,
    made,
    new_timer,
    outcomes_of,
    plan,
    sends_of,
)

AWAY = timedelta(seconds=3)


async def test_a_timer_that_fires_once_makes_one_send_and_is_done(desk):
    session = await desk.session()
    timer = await made(desk, session, plan("no {{tick}} of {{timer_id}}, {{due_at}}", priority=7))
    fired = await fire(desk)
    (send,) = fired.ready
    assert (fired.count, send.session_id, send.agent, send.priority) == (1, session.id, "support", 7)
    assert text_of(send.content) == f"no 1 of {timer.id}, 2026-01-01T00:00:00+00:00"
    assert send.metadata == {"timer_id": timer.id, "timer_due_at": PAST.isoformat(), "timer_tick": 1}
    assert (await desk.claimed(send)).send.id == send.id
    done = await desk.store.timers.find(timer.id)
    assert (done.status, done.fires, done.last_send_id) == (TimerStatus.DONE, 1, send.id)
    (firing,) = await desk.store.timers.firings(timer.id)
    assert (firing.tick_at, firing.send_id, firing.number) == (PAST, send.id, 1)
    assert (await fire(desk)).count == 0


async def test_every_tick_of_a_timer_has_its_turn_one_at_a_time(desk):
    session = await desk.session()
    timer = await made(desk, session, plan(schedule=hourly(), max_fires=3))
    for number in (1, 2, 3):
        assert (await fire(desk)).count == 1
        assert (await desk.store.timers.find(timer.id)).fires == number
    sends = await sends_of(desk, session)
    assert [send.metadata["timer_due_at"] for send in sends] == [
        (PAST + HOUR * index).isoformat() for index in range(3)
    ]
    assert [send.dispatched_at is not None for send in sends] == [True, False, False]
    assert (await desk.store.timers.find(timer.id)).status is TimerStatus.DONE


async def test_a_fresh_session_per_tick_is_made_for_its_agent(desk):
    await made(desk, agent="clerk", plan_=plan(schedule=hourly(), metadata={"tenant": 1}, max_fires=2))
    sends = [send for _ in range(2) for send in (await fire(desk)).ready]
    assert len({send.session_id for send in sends}) == 2
    for send in sends:
        session = await desk.store.sessions.find(send.session_id)
        assert (session.agent, session.metadata["tenant"], session.accepted) == ("clerk", 1, 1)
        await desk.store.journal.finish((await desk.claimed(send)).fence, desk.completed())


async def test_any_number_of_beats_fire_each_tick_once(desk):
    sessions = [await desk.session() for _ in range(5)]
    for number in range(40):
        await made(desk, sessions[number % 5])

    async def beat():
        count = 0
        while (fired := await fire(desk, limit=7)).count or fired.more:
            count += fired.count
        return count

    assert sum(await asyncio.gather(*(beat() for _ in range(4)))) == 40
    for session in sessions:
        sends = await sends_of(desk, session)
        assert [send.position for send in sends] == list(range(1, 9))


async def test_timers_of_one_session_that_are_due_together_queue_up(desk):
    session = await desk.session()
    for _ in range(3):
        await made(desk, session)
    fired = await fire(desk)
    assert (fired.count, len(fired.ready)) == (3, 1)
    assert [send.position for send in await sends_of(desk, session)] == [1, 2, 3]


async def test_no_more_is_looked_at_than_is_asked_for(desk):
    for _ in range(3):
        await made(desk, await desk.session())
    assert [(fired.count, fired.more) for fired in (await fire(desk, 2), await fire(desk, 2))] == [
        (2, True),
        (1, False),
    ]


async def test_how_long_there_is_nothing_to_do_is_told(desk):
    assert (await fire(desk)).next_in is None
    soon = new_timer(await desk.session(), plan(schedule=Schedule(after=HOUR)))
    await desk.store.timers.create(soon, TIMETABLE)
    assert timedelta(minutes=59) < (await fire(desk)).next_in <= HOUR


async def test_a_call_that_has_slept_is_told_of(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    nap = NewSleep(call_id="a", lasts=None, until=PAST, result="slept")
    await desk.store.journal.suspend(claim.fence, Suspension(sleeps=(nap,)))
    assert (await fire(desk)).sleeps
    await desk.store.recovery.rouse(10)
    (call,) = await desk.store.journal.load_calls(claim.send.id)
    assert (call.status, (await fire(desk)).sleeps) == (CallStatus.DONE, False)


async def test_ticks_that_pass_before_a_postponed_one_fires_are_dropped(desk):
    now = datetime.now(UTC)
    schedule = Schedule(every=SECOND, start=now - timedelta(minutes=5))
    timer = await made(desk, await desk.session(), plan(schedule=schedule))
    await desk.store.timers.postpone(timer.id, by=None, until=now)
    fired = await fire(desk)
    (send,) = fired.ready
    assert send.metadata["timer_due_at"] == schedule.start.isoformat()
    after = await desk.store.timers.find(timer.id)
    assert now < after.tick_at <= now + SECOND


async def test_a_tick_whose_send_is_there_already_makes_no_other(desk, eventually):
    session = await desk.session()
    timer = await made(desk, session, timer_id="again")
    (send,) = (await fire(desk)).ready
    again = new_timer(session, plan("other"), timer_id="again", replace=True)
    with pytest.raises(ScheduleInvalid, match="has fired"):
        await desk.store.timers.create(again, TIMETABLE)

    async def forgotten():
        return await desk.store.retention.forget_timers(timedelta(0), 10)

    await eventually(forgotten, "nothing is known of it any more")
    await desk.store.timers.create(again, TIMETABLE)
    fired = await fire(desk)
    assert fired.ready == ()
    assert [one.id for one in await sends_of(desk, session)] == [send.id]
    assert (await desk.store.timers.find(timer.id)).status is TimerStatus.DONE


@pytest.mark.parametrize(
    ("catch_up", "fires"), [(CatchUp.SKIP, []), (CatchUp.ONE, [2]), (CatchUp.ALL, [0, 1, 2])]
)
async def test_what_was_due_while_no_beat_ran_is_caught_up_with(desk, catch_up, fires):
    session = await desk.session()
    now = datetime.now(UTC)
    ticks = [now - HOUR * (3 - index) for index in range(3)]
    schedule = Schedule(every=HOUR, start=ticks[0] + SECOND)
    timer = await made(desk, session, plan(schedule=schedule, catch_up=catch_up))
    await desk.store.beats.alive(AWAY)
    while (await fire(desk)).count:
        pass
    sends = await sends_of(desk, session)
    wanted = [(ticks[index] + SECOND).isoformat() for index in fires]
    assert [send.metadata["timer_due_at"] for send in sends] == wanted
    armed = await desk.store.timers.find(timer.id)
    assert (armed.status, armed.tick_at) == (TimerStatus.ARMED, ticks[0] + SECOND + HOUR * 3)
    assert ("missed" in await outcomes_of(desk, timer)) == (catch_up is not CatchUp.ALL)


async def test_what_is_late_though_beats_ran_is_not_missed(desk):
    await desk.store.beats.alive(AWAY)
    session = await desk.session()
    await made(desk, session, plan(schedule=Schedule(at=datetime.now(UTC)), catch_up=CatchUp.SKIP))
    assert (await fire(desk)).count == 1


async def test_a_one_shot_that_was_missed_and_is_to_skip_is_done(desk):
    timer = await made(desk, await desk.session(), plan(catch_up=CatchUp.SKIP))
    await desk.store.beats.alive(AWAY)
    assert (await fire(desk)).count == 0
    assert (await desk.store.timers.find(timer.id)).status is TimerStatus.DONE
    assert await outcomes_of(desk, timer) == ["missed"]


async def test_a_timer_is_paused_after_failures_in_a_row_and_begins_anew_when_it_is_resumed(desk):
    session = await desk.session()
    timer = await made(desk, session, plan(schedule=hourly(), pause_after=2))

    async def failed():
        (send,) = (await fire(desk)).ready
        claim = await desk.claimed(send)
        error = SendError(code="model.unavailable", message="away")
        await desk.store.journal.finish(claim.fence, Ending.failed(error, rounds=0))

    await failed()
    await failed()
    assert (await fire(desk)).count == 0
    paused = await desk.store.timers.find(timer.id)
    assert (paused.status, paused.fires) == (TimerStatus.PAUSED, 2)
    assert "2 of its sends in a row have failed" in paused.reason
    await desk.store.timers.resume(timer.id, TIMETABLE)
    await due_again(desk, timer)
    await failed()
    await due_again(desk, timer)
    assert (await fire(desk)).count == 1


async def test_a_timer_that_is_triggered_fires_beside_its_schedule(desk):
    session = await desk.session()
    new = new_timer(session, plan(schedule=Schedule(every=HOUR), max_fires=2), disarmed=True)
    timer = await desk.store.timers.create(new, TIMETABLE)
    changed, send, is_head = await desk.store.timers.trigger(timer.id)
    assert (changed.fires, changed.tick_at, changed.status) == (1, timer.tick_at, TimerStatus.PAUSED)
    assert (send.session_id, is_head, send.status) == (session.id, True, SendStatus.QUEUED)
    changed, other, is_head = await desk.store.timers.trigger(timer.id)
    assert (changed.status, is_head, other.id != send.id) == (TimerStatus.DONE, False, True)


async def test_only_the_timers_of_some_agents_are_fired_where_that_is_asked_for(desk):
    mine = await made(desk, agent="mine")
    await made(desk, agent="yours")
    fired = await desk.store.timers.fire(TIMETABLE, 10, agents={"mine"})
    assert [send.metadata["timer_id"] for send in fired.ready] == [mine.id]
    assert (fired.more, (await fire(desk)).count) == (False, 1)


class Broken(CronTimetable):
    """Knows no zone any more."""

    def due(self, timer, now, back_at):
        raise LookupError("no such zone")


async def test_a_schedule_that_cannot_be_followed_pauses_its_timer_and_no_other(desk):
    timer = await made(desk, await desk.session(), plan(schedule=hourly()))
    fired = await desk.store.timers.fire(Broken(), 10)
    assert fired.count == 0
    found = await desk.store.timers.find(timer.id)
    assert (found.status, "no such zone" in found.reason) == (TimerStatus.PAUSED, True)
