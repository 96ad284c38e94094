"""Timers for the suite: made in the past, fired, and told of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.timers import NewTimer, Schedule, Timer, TimerPlan
from powerloop.timetable import CronTimetable

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
PAST = datetime(2026, 1, 1, tzinfo=UTC)
TIMETABLE = CronTimetable()

_numbers = count(1)


class Backdated(CronTimetable):
    """Has timers begin in the past: their first tick is at their start."""

    def ticks(self, schedule: Schedule, after: datetime) -> Iterator[datetime]:
        return super().ticks(schedule, PAST - HOUR)


def plan(text="wake up", schedule=None, **fields) -> TimerPlan:
    """A plan: once, long ago, unless given."""
    return TimerPlan(schedule=schedule or Schedule(at=PAST), input=text, **fields)


def hourly(**fields) -> Schedule:
    """Every hour, from the past on."""
    return Schedule(every=HOUR, start=PAST, **fields)


def new_timer(session=None, plan_=None, *, agent="support", timer_id="", **fields) -> NewTimer:
    """A timer to be made."""
    return NewTimer(
        id=TimerId(timer_id or f"timer-{next(_numbers):04}"),
        session_id=None if session is None else SessionId(session.id),
        agent=agent,
        plan=plan_ or plan(),
        **fields,
    )


async def made(desk, session=None, plan_=None, **fields) -> Timer:
    """A timer, made in the past."""
    return await desk.store.timers.create(new_timer(session, plan_, **fields), Backdated())


async def fire(desk, limit=100) -> Fired:
    """One look at what is due."""
    return await desk.store.timers.fire(TIMETABLE, limit)


async def due_again(desk, timer) -> Timer:
    """The timer, with its next tick due now."""
    return await desk.store.timers.postpone(timer.id, by=None, until=PAST)


async def sends_of(desk, session):
    """The sends of the session, in order."""
    return sorted(await desk.store.sends.list(session_id=session.id), key=lambda send: send.position)


async def outcomes_of(desk, timer):
    """What became of its ticks, the first tick first."""
    return [one.outcome.value for one in reversed(await desk.store.timers.firings(timer.id))]
