"""Wake-ups: the timers by which an agent wakes its own session, bounded and made."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from powerloop.client.timer_plans import TIMETABLE, check_plan, checked_input, next_ticks
from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import ScheduleInvalid, TimerExists
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.ports.timers import Timers
from powerloop.kernel.timer_edges import anchored
from powerloop.kernel.timers import NewTimer, Schedule, Timer, TimerOwner, TimerStatus

#: How many ticks of a schedule are looked at, to see how near they are to each other.
_LOOKED_AT: Final = 20
#: The most wake-ups that are listed.
_LISTED: Final = 1_000
_END: Final = datetime.max.replace(tzinfo=UTC)


class StoredWakeups:
    """The `Wakeups` over a store.

    Args:
        timers: Where the timers are.
        clock: What bounds are counted from.
    """

    def __init__(self, timers: Timers, clock: Clock) -> None:
        self._timers = timers
        self._clock = clock

    async def schedule(self, new: NewTimer, *, shortest: timedelta, longest: timedelta) -> Timer:
        """As `Wakeups.schedule`."""
        if (earlier := await self._earlier(new)) is not None:
            return earlier
        now = self._clock.now()
        schedule = _bounded(new.plan.schedule, now, shortest, longest)
        plan = replace(new.plan, schedule=schedule, input=checked_input(new.plan.input))
        check_plan(plan)
        try:
            return await self._timers.create(replace(new, plan=plan), TIMETABLE)
        except TimerExists:
            # The same call, run by a process that was taken for dead, has made it from another instant on.
            if (earlier := await self._earlier(new)) is None:
                raise
            return earlier

    async def list(self, session_id: SessionId) -> Sequence[Timer]:
        """As `Wakeups.list`."""
        found = await self._timers.list(
            session_id=session_id,
            status=[status for status in TimerStatus if not status.is_final],
            owner=TimerOwner.AGENT,
            limit=_LISTED,
        )
        return sorted(found, key=lambda timer: timer.due_at or _END)

    async def cancel(self, session_id: SessionId, timer_id: TimerId) -> Timer | None:
        """As `Wakeups.cancel`."""
        timer = await self._timers.find(timer_id)
        if timer is None or timer.session_id != session_id or timer.owner is not TimerOwner.AGENT:
            return None
        return await self._timers.cancel(timer_id, "its agent cancelled it") if timer.is_live else timer

    def upcoming(self, timer: Timer, count: int) -> Sequence[datetime]:
        """As `Wakeups.upcoming`."""
        return next_ticks(timer, count)

    async def _earlier(self, new: NewTimer) -> Timer | None:
        timer = await self._timers.find(new.id)
        return timer if timer is not None and timer.session_id == new.session_id else None


def _bounded(schedule: Schedule, now: datetime, shortest: timedelta, longest: timedelta) -> Schedule:
    """The schedule, if its ticks are within the bounds, counted from now.

    Raises:
        ScheduleInvalid: they are not, there is none, or it cannot be followed.
    """
    TIMETABLE.check(schedule)
    if schedule.cron is not None:
        # It names ticks of any time: those that are too soon are left out.
        schedule = replace(schedule, start=now + shortest)
    ticks = _ticks(anchored(schedule, now), now)
    if not ticks:
        raise ScheduleInvalid("it would never fire.", hint="Choose another schedule.")
    ahead = ticks[0] - now
    if not shortest <= ahead <= longest:
        raise ScheduleInvalid(
            f"it is {_told(now)}, and the first wake-up would be at {_told(ticks[0])}.",
            hint=f"It may be from {_seconds(shortest)} to {_seconds(longest)} ahead.",
        )
    apart = min((later - earlier for earlier, later in pairwise(ticks)), default=shortest)
    if apart < shortest:
        raise ScheduleInvalid(
            f"some of the wake-ups would be {_seconds(apart)} apart.",
            hint=f"They are to be {_seconds(shortest)} apart at least.",
        )
    return schedule


def _ticks(schedule: Schedule, now: datetime) -> Sequence[datetime]:
    """The first ticks of the schedule; of one that is once, that, even if it has passed."""
    if schedule.at is not None:
        return (schedule.at,)
    return tuple(islice(TIMETABLE.ticks(schedule, now), _LOOKED_AT))


def _told(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.10g} seconds"
