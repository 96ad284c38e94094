"""Timers to ask what of them is due."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from powerloop.kernel.ids import TimerId
from powerloop.kernel.timer_edges import due_of
from powerloop.kernel.timers import CatchUp, Schedule, Timer, TimerPlan
from powerloop.testing.factories import make_timer

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

EVERY_MINUTE = Schedule(every=MINUTE, start=NOON)
MINUTELY = Schedule(cron="* * * * *")


def armed(
    schedule: Schedule = EVERY_MINUTE,
    catch_up: CatchUp = CatchUp.ONE,
    *,
    tick_at: datetime | None = NOON,
    due_at: datetime | None = None,
    window: timedelta | None = None,
    id: str = "report",
) -> Timer:
    """An armed timer whose next tick is `tick_at`, due as its schedule says if nothing else is said."""
    if due_at is None and tick_at is not None:
        due_at = due_of(TimerId(id), tick_at, schedule.jitter)
    plan = TimerPlan(schedule=schedule, input="Go.", catch_up=catch_up, catch_up_window=window)
    return replace(make_timer(id=id, plan=plan, tick_at=tick_at), due_at=due_at)
