"""`Timers`: made, found and steered."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.kernel.errors import (
    InvalidInput,
    ScheduleInvalid,
    SessionClosed,
    SessionNotFound,
    TimerEnded,
    TimerExists,
    TimerNotFound,
    TimerQuotaReached,
)
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.timers import (
    SESSION_CLOSED,
    CatchUp,
    DstRule,
    Overlap,
    Schedule,
    TimerOwner,
    TimerQuota,
    TimerStatus,
)
from tests.conformance.store.ticking import (
    HOUR,
    PAST,
    TIMETABLE,
    due_again,
    fire,
    hourly,
    made,
    new_timer,
    plan,
)

FULL = plan(
    "tick {{tick}}",
    Schedule(
        cron="30 2 * * *",
        tz="Europe/Berlin",
        dst=DstRule.TWICE,
        start=datetime(2030, 1, 1, tzinfo=UTC),
        end=datetime(2031, 1, 1, tzinfo=UTC),
        jitter=timedelta(seconds=90),
    ),
    overlap=Overlap.BUFFER_ONE,
    catch_up=CatchUp.ALL,
    catch_up_window=HOUR,
    max_fires=7,
    pause_after=3,
    priority=4,
    metadata={"customer": "42"},
)


async def test_a_timer_comes_back_as_it_was_made(desk):
    session = await desk.session()
    timer = await desk.store.timers.create(new_timer(session, FULL), TIMETABLE)
    assert timer.plan == FULL
    assert (timer.agent, timer.session_id, timer.status) == ("support", session.id, TimerStatus.ARMED)
    assert timer.tick_at == datetime(2030, 1, 1, 1, 30, tzinfo=UTC)
    assert timer.tick_at <= timer.due_at < timer.tick_at + timedelta(seconds=90)
    assert await desk.store.timers.find(timer.id) == timer


async def test_the_same_timer_told_again_is_the_same(desk):
    session = await desk.session()
    for given in (FULL, plan(schedule=Schedule(after=HOUR)), plan(schedule=Schedule(every=HOUR))):
        new = new_timer(session, given)
        first = await desk.store.timers.create(new, TIMETABLE)
        assert await desk.store.timers.create(new, TIMETABLE) == first


async def test_of_racing_twins_one_is_made(desk):
    new = new_timer(await desk.session(), plan(schedule=Schedule(after=HOUR)))
    timers = await asyncio.gather(*(desk.store.timers.create(new, TIMETABLE) for _ in range(8)))
    assert {timer.tick_at for timer in timers} == {timers[0].tick_at}
    assert len(await desk.store.timers.list()) == 1


async def test_an_id_that_is_taken_is_refused_or_planned_anew(desk):
    session = await desk.session()
    first = await made(desk, session, plan(schedule=hourly()))
    await fire(desk)
    other = new_timer(session, plan("other", hourly()), timer_id=first.id)
    with pytest.raises(TimerExists):
        await desk.store.timers.create(other, TIMETABLE)
    changed = await desk.store.timers.create(replace(other, replace=True), TIMETABLE)
    assert (changed.plan.input, changed.fires, changed.created_at) == ("other", 1, first.created_at)


async def test_another_text_leaves_the_next_tick_and_the_phase_as_they_were(desk):
    session = await desk.session()
    every = plan(schedule=Schedule(every=HOUR))
    first = await desk.store.timers.create(new_timer(session, every, timer_id="t"), TIMETABLE)
    late = await desk.store.timers.postpone(first.id, by=HOUR, until=None)
    again = new_timer(session, replace(every, input="other"), timer_id="t", replace=True)
    changed = await desk.store.timers.create(again, TIMETABLE)
    assert (changed.tick_at, changed.due_at, changed.plan.schedule) == (
        late.tick_at,
        late.due_at,
        late.plan.schedule,
    )


async def test_another_span_from_now_replaces_the_one_before(desk):
    new = new_timer(await desk.session(), plan(schedule=Schedule(after=HOUR)), replace=True)
    first = await desk.store.timers.create(new, TIMETABLE)
    later = replace(new, plan=plan(schedule=Schedule(after=HOUR * 5)))
    changed = await desk.store.timers.create(later, TIMETABLE)
    assert changed.tick_at - first.tick_at >= HOUR * 4


async def test_a_timer_that_was_cancelled_is_not_planned_anew(desk):
    new = new_timer(await desk.session(), plan(schedule=hourly()), replace=True)
    timer = await desk.store.timers.create(new, TIMETABLE)
    await desk.store.timers.cancel(timer.id, "never again")
    for text in ("wake up", "other"):
        again = replace(new, plan=plan(text, hourly()))
        with pytest.raises(TimerEnded):
            await desk.store.timers.create(again, TIMETABLE)


async def test_an_id_of_another_session_is_refused(desk):
    new = new_timer(await desk.session(), plan(schedule=hourly()), replace=True)
    await desk.store.timers.create(new, TIMETABLE)
    other = await desk.session()
    with pytest.raises(TimerExists, match="another session"):
        await desk.store.timers.create(replace(new, session_id=other.id), TIMETABLE)


@pytest.mark.parametrize("agent", ["", "x" * 101])
async def test_an_agent_without_a_proper_name_has_no_timers(desk, agent):
    with pytest.raises(InvalidInput):
        await made(desk, agent=agent)


async def test_what_a_timer_wakes_must_be_there_and_open(desk):
    with pytest.raises(SessionNotFound):
        await desk.store.timers.create(
            replace(new_timer(agent="support"), session_id=SessionId("nobody")), TIMETABLE
        )
    session = await desk.session()
    await desk.store.sessions.close(session.id)
    with pytest.raises(SessionClosed):
        await desk.store.timers.create(new_timer(session), TIMETABLE)


async def test_a_timer_that_would_never_fire_is_refused(desk):
    over = Schedule(every=HOUR, start=PAST, end=PAST + HOUR)
    with pytest.raises(ScheduleInvalid):
        await desk.store.timers.create(new_timer(await desk.session(), plan(schedule=over)), TIMETABLE)
    with pytest.raises(InvalidInput):
        await desk.store.timers.create(new_timer(timer_id="x" * 121), TIMETABLE)


async def test_an_agent_has_no_more_live_timers_than_its_quota(desk):
    quota = TimerQuota(per_session=2, per_agent=3)
    session, other = await desk.session(), await desk.session()

    async def one(of):
        new = new_timer(of, plan(schedule=Schedule(after=HOUR)), owner=TimerOwner.AGENT, quota=quota)
        return await desk.store.timers.create(new, TIMETABLE)

    await made(desk, session, plan(schedule=hourly()))  # a producer's counts for nothing
    first = await one(session)
    racing = await asyncio.gather(*(one(session) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(result, TimerQuotaReached) for result in racing) == 2
    await one(other)
    with pytest.raises(TimerQuotaReached, match="agent"):
        await one(other)
    await desk.store.timers.cancel(first.id, "")
    await one(other)


async def test_timers_are_listed_the_latest_first_by_what_is_asked_for(desk):
    session = await desk.session()
    first = await made(desk, session, plan(schedule=hourly()))
    second = await made(desk, agent="clerk", owner=TimerOwner.AGENT)
    third = await made(desk, session, plan(schedule=hourly()), disarmed=True)

    async def ids(**criteria):
        return [timer.id for timer in await desk.store.timers.list(**criteria)]

    assert await ids() == [third.id, second.id, first.id]
    assert await ids(session_id=session.id) == [third.id, first.id]
    assert await ids(agent="clerk") == await ids(owner=TimerOwner.AGENT) == [second.id]
    assert await ids(status=[TimerStatus.PAUSED]) == [third.id]
    assert await ids(before=third.id, limit=1) == [second.id]


async def test_a_paused_timer_fires_from_its_next_tick_on_once_it_is_resumed(desk):
    timer = await made(desk, await desk.session(), plan(schedule=hourly()))
    paused = await desk.store.timers.pause(timer.id, "holidays")
    assert (paused.status, paused.reason) == (TimerStatus.PAUSED, "holidays")
    assert (await desk.store.timers.pause(timer.id, "again")).reason == "holidays"
    assert (await fire(desk)).count == 0
    resumed = await desk.store.timers.resume(timer.id, TIMETABLE)
    assert (resumed.status, resumed.reason) == (TimerStatus.ARMED, "")
    assert resumed.tick_at > datetime.now(UTC)
    assert (await fire(desk)).count == 0


async def test_a_timer_made_disarmed_fires_once_it_is_resumed_though_its_time_has_passed(desk):
    timer = await made(desk, await desk.session(), disarmed=True)
    assert timer.status is TimerStatus.PAUSED
    await desk.store.beats.alive(timedelta(seconds=3))
    await desk.store.timers.resume(timer.id, TIMETABLE)
    assert (await fire(desk)).count == 1


async def test_a_timer_is_postponed_by_a_span_or_until_an_instant(desk):
    timer = await desk.store.timers.create(
        new_timer(await desk.session(), plan(schedule=Schedule(after=HOUR))), TIMETABLE
    )
    later = await desk.store.timers.postpone(timer.id, by=HOUR, until=None)
    assert (later.tick_at, later.due_at) == (timer.tick_at, timer.due_at + HOUR)
    await due_again(desk, timer)
    assert (await fire(desk)).count == 1


async def test_a_cancelled_timer_fires_no_more(desk):
    timer = await made(desk, await desk.session(), plan(schedule=hourly()))
    ended = await desk.store.timers.cancel(timer.id, "enough")
    assert (ended.status, ended.reason, ended.due_at) == (TimerStatus.CANCELLED, "enough", None)
    assert (await desk.store.timers.cancel(timer.id, "again")).reason == "enough"
    assert (await fire(desk)).count == 0
    for steering in (
        desk.store.timers.pause(timer.id, ""),
        desk.store.timers.resume(timer.id, TIMETABLE),
        desk.store.timers.postpone(timer.id, by=HOUR, until=None),
        desk.store.timers.trigger(timer.id),
    ):
        with pytest.raises(TimerEnded):
            await steering


async def test_a_timer_that_is_not_there_is_told_of(desk):
    nobody = TimerId("nobody")
    assert await desk.store.timers.find(nobody) is None
    assert list(await desk.store.timers.firings(nobody)) == []
    for steering in (
        desk.store.timers.pause(nobody, ""),
        desk.store.timers.cancel(nobody, ""),
        desk.store.timers.trigger(nobody),
    ):
        with pytest.raises(TimerNotFound):
            await steering


async def test_the_close_of_a_session_cancels_its_timers(desk):
    session = await desk.session()
    timer = await made(desk, session, plan(schedule=hourly()))
    other = await made(desk, await desk.session(), plan(schedule=hourly()))
    await desk.store.sessions.close(session.id)
    found = await desk.store.timers.find(timer.id)
    assert (found.status, found.reason) == (TimerStatus.CANCELLED, SESSION_CLOSED)
    assert (await desk.store.timers.find(other.id)).status is TimerStatus.ARMED
    await desk.store.sessions.delete(session.id)
    assert await desk.store.timers.find(timer.id) is None
