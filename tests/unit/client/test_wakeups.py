"""Wake-ups over a store: their bounds, their quota, and what of a session's timers is its agent's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from powerloop.client.timer_plans import TIMETABLE
from powerloop.client.wakeups import StoredWakeups
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.errors import InvalidInput, ScheduleInvalid, SessionClosed, TimerQuotaReached
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.timers import (
    NewTimer,
    Schedule,
    TimerOwner,
    TimerPlan,
    TimerQuota,
    TimerStatus,
)
from powerloop.store.memory import MemoryStore

#: Tomorrow, shortly before nine: nothing that is asked for here lies in the past.
NOW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=8, minute=59, second=58, microsecond=0)
NINE = NOW + timedelta(seconds=2)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=number) for number in (1, 60, 3_600, 86_400))
SESSION = SessionId("session-1")


class StillClock(SystemClock):
    """Stands still until somebody moves it on."""

    at = NOW

    def now(self):
        return self.at


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def store(clock) -> MemoryStore:
    store = MemoryStore(clock)
    for name in (SESSION, SessionId("session-2")):
        await store.sessions.create(NewSession(id=name, agent="support"))
    return store


@pytest.fixture
def wakeups(store, clock) -> StoredWakeups:
    return StoredWakeups(store.timers, clock)


@pytest.fixture
def schedule(wakeups):
    """``await schedule(after=MINUTE)``: a wake-up between five seconds and thirty days from now."""

    async def schedule(*, shortest=5 * SECOND, longest=30 * DAY, quota=None, max_fires=None, **when):
        new = replace(made(**when), quota=quota)
        new = replace(new, plan=replace(new.plan, max_fires=max_fires))
        return await wakeups.schedule(new, shortest=shortest, longest=longest)

    return schedule


def made(*, id="wake", session_id=SESSION, input="Look.", owner=TimerOwner.AGENT, **when) -> NewTimer:
    plan = TimerPlan(schedule=Schedule(**when), input=input)
    return NewTimer(id=TimerId(id), session_id=session_id, agent="", plan=plan, owner=owner)


@pytest.mark.parametrize(
    ("when", "first"),
    [
        ({"after": 5 * SECOND}, NOW + 5 * SECOND),
        ({"after": 30 * DAY}, NOW + 30 * DAY),
        ({"at": NOW + HOUR}, NOW + HOUR),
        ({"every": 5 * SECOND}, NOW + 5 * SECOND),
        ({"cron": "0 10 * * *"}, NINE + HOUR),
        ({"cron": "*/5 * * * * *"}, NINE + 5 * SECOND),
    ],
)
async def test_a_wake_up_within_its_bounds_is_made(schedule, when, first):
    timer = await schedule(**when)
    assert (timer.tick_at, timer.status, timer.owner) == (first, TimerStatus.ARMED, TimerOwner.AGENT)


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ({"after": 4 * SECOND}, "first wake-up would be at .* from 5 seconds to 2592000 seconds ahead"),
        ({"after": 30 * DAY + SECOND}, "first wake-up would be at"),
        ({"at": NOW + 4 * SECOND}, f"it is {NOW.isoformat()}, and the first".replace("+", r"\+")),
        ({"at": NOW - HOUR}, "first wake-up would be at"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "ends of the calendar"),
        ({"after": 40_000 * DAY}, "out of range"),
        ({"every": SECOND}, "first wake-up would be at"),
        ({"cron": f"0 0 {(NOW + 40 * DAY).day} {(NOW + 40 * DAY).month} *"}, "first wake-up would be at"),
        (
            {"cron": "*/4 * * * * *"},
            "some of the wake-ups would be 4 seconds apart. They are to be 5 seconds",
        ),
        ({"cron": "0,59 * * * * *"}, "some of the wake-ups would be 1 seconds apart"),
        ({"cron": "0 9 * *"}, "has 4 fields"),
        ({"cron": "0 9 * * *", "tz": "Berlin"}, "Did you mean 'Europe/Berlin'"),
        ({}, "needs one of"),
        ({"after": MINUTE, "every": MINUTE}, "has after and every"),
    ],
)
async def test_a_wake_up_that_is_not_within_its_bounds_is_refused(schedule, store, when, told):
    with pytest.raises(ScheduleInvalid, match=told):
        await schedule(**when)
    assert await store.timers.list() == []


async def test_a_time_by_the_clock_that_is_too_near_is_left_out(schedule):
    timer = await schedule(cron="0 9 * * *")
    assert timer.tick_at == NINE + DAY


async def test_an_input_that_is_none_is_refused(schedule):
    with pytest.raises(InvalidInput, match=r"has no {{name}}"):
        await schedule(after=MINUTE, input="Hello {{name}}")


@pytest.mark.parametrize(
    "when", [{"after": MINUTE}, {"at": NOW + MINUTE}, {"every": MINUTE}, {"cron": "* * * * *"}]
)
async def test_a_call_that_runs_again_has_its_earlier_wake_up(schedule, store, clock, when):
    first = await schedule(**when)
    clock.at = NOW + HOUR
    await store.timers.fire(TIMETABLE, 10)

    again = await schedule(**when)

    assert again == await store.timers.find(first.id)
    assert (again.fires, again.created_at) == (1, NOW)


async def test_a_call_that_two_processes_run_at_once_makes_one_wake_up(store, clock):
    class Late(StoredWakeups):
        """Has not seen what its twin makes meanwhile."""

        looks = 0

        async def _earlier(self, new):
            self.looks += 1
            return None if self.looks == 1 else await super()._earlier(new)

    new = made(cron="* * * * *")
    first = await StoredWakeups(store.timers, clock).schedule(new, shortest=SECOND, longest=DAY)
    clock.at = NOW + SECOND
    again = await Late(store.timers, clock).schedule(new, shortest=SECOND, longest=DAY)

    assert again == first
    assert len(await store.timers.list()) == 1


async def test_a_quota_is_of_wake_ups_that_are_yet_to_come(schedule, store, clock):
    quota = TimerQuota(per_session=1)
    await store.timers.create(made(id="a producer's", owner=TimerOwner.PRODUCER, after=DAY), TIMETABLE)
    await schedule(id="first", after=MINUTE, quota=quota)
    with pytest.raises(TimerQuotaReached, match="this session has 1 wake-ups already"):
        await schedule(id="second", after=MINUTE, quota=quota)
    assert (await schedule(id="first", after=MINUTE, quota=quota)).created_at == NOW

    clock.at = NOW + HOUR
    await store.timers.fire(TIMETABLE, 10)
    assert (await schedule(id="second", after=MINUTE, quota=quota)).status is TimerStatus.ARMED


async def test_a_closed_session_is_not_woken(schedule, store):
    await store.sessions.close(SESSION)
    with pytest.raises(SessionClosed):
        await schedule(after=MINUTE)


async def test_the_wake_ups_of_a_session_are_listed_soonest_first(schedule, wakeups, store):
    await schedule(id="late", after=DAY)
    await schedule(id="soon", after=MINUTE)
    await schedule(id="paused", after=HOUR)
    await store.timers.pause(TimerId("paused"), "")
    await schedule(id="gone", after=HOUR)
    await store.timers.cancel(TimerId("gone"), "")
    await schedule(id="elsewhere", after=HOUR, session_id=SessionId("session-2"))
    await store.timers.create(made(id="a producer's", owner=TimerOwner.PRODUCER, after=DAY), TIMETABLE)

    assert [timer.id for timer in await wakeups.list(SESSION)] == ["soon", "paused", "late"]


async def test_a_wake_up_is_cancelled_once_and_for_all(schedule, wakeups):
    timer = await schedule(after=MINUTE)

    for _ in range(2):
        cancelled = await wakeups.cancel(SESSION, timer.id)
        assert cancelled is not None
        assert (cancelled.status, cancelled.reason) == (TimerStatus.CANCELLED, "its agent cancelled it")


async def test_a_wake_up_that_has_come_is_left_alone(schedule, wakeups, store, clock):
    timer = await schedule(after=MINUTE)
    clock.at = NOW + HOUR
    await store.timers.fire(TIMETABLE, 10)

    left = await wakeups.cancel(SESSION, timer.id)
    assert left is not None
    assert left.status is TimerStatus.DONE


async def test_an_agent_cancels_no_timer_but_its_own(schedule, wakeups, store):
    await schedule(id="elsewhere", after=HOUR, session_id=SessionId("session-2"))
    await store.timers.create(made(id="a producer's", owner=TimerOwner.PRODUCER, after=DAY), TIMETABLE)

    for name in ("elsewhere", "a producer's", "unknown", "x" * 500):
        assert await wakeups.cancel(SESSION, TimerId(name)) is None
    assert [timer.is_live for timer in await store.timers.list()] == [True, True]


@pytest.mark.parametrize(
    ("when", "ticks"),
    [
        ({"after": MINUTE}, [NOW + MINUTE]),
        ({"every": MINUTE}, [NOW + MINUTE, NOW + 2 * MINUTE, NOW + 3 * MINUTE]),
        ({"every": MINUTE, "max_fires": 2}, [NOW + MINUTE, NOW + 2 * MINUTE]),
        ({"cron": "0 9 * * *"}, [NINE + DAY, NINE + 2 * DAY, NINE + 3 * DAY]),
    ],
)
async def test_the_next_ticks_are_told(schedule, wakeups, when, ticks):
    timer = await schedule(**when)
    assert list(wakeups.upcoming(timer, 3)) == ticks


async def test_what_fires_no_more_has_no_next_ticks(schedule, wakeups):
    timer = await schedule(every=MINUTE)
    cancelled = await wakeups.cancel(SESSION, timer.id)
    assert cancelled is not None
    assert list(wakeups.upcoming(cancelled, 3)) == []
