"""Due ticks: which ticks of a timer are to fire now, and which are let go since no beat ran."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from powerloop.kernel.ports.timetable import Due
from powerloop.kernel.timer_edges import due_of, goes_on_after
from powerloop.kernel.timers import CatchUp, Schedule, Timer, TimerPlan
from powerloop.timetable.ticks import CLOSEST, list_ticks

#: The most ticks that are said to be due at once; the others are, once these have been handled.
MAX_DUE: Final = 100

_INSTANT: Final = timedelta(microseconds=1)


def find_due(timer: Timer, now: datetime, back_at: datetime) -> Due:
    """Which ticks of a timer are to fire now; see `Timetable.due`.

    Ticks are handled in their order: one that is not due yet holds back those after it, whatever the jitter.
    """
    if timer.tick_at is None or timer.due_at is None:
        return Due(ticks=(), missed_at=None, next_at=None)
    schedule, now = timer.plan.schedule, now.astimezone(UTC)
    tick_at, due_at = timer.tick_at.astimezone(UTC), timer.due_at.astimezone(UTC)
    back_at = min(back_at.astimezone(UTC), now)
    if due_at > now:
        return Due(ticks=(), missed_at=None, next_at=tick_at)
    tally = _Tally(plan=timer.plan, now=now)
    tally.take(tick_at, is_missed=due_at <= back_at)
    if not schedule.recurs:
        return tally.due(next_at=None)
    after = goes_on_after(timer).astimezone(UTC)
    after = _skim(tally, after, _long_gone(timer.plan, tick_at, now, back_at))
    for tick in list_ticks(schedule, after):
        due_at = due_of(timer.id, tick, schedule.jitter)
        if due_at > now or tally.is_full:
            return tally.due(next_at=tick)
        tally.take(tick, is_missed=due_at <= back_at)
    return tally.due(next_at=None)


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What becomes of the ticks that have been handled so far."""

    plan: TimerPlan
    now: datetime
    #: Those that fire.
    fires: list[datetime] = field(default_factory=list)
    #: The first that is let go.
    missed_at: datetime | None = None
    #: Of `CatchUp.ONE`: the last that was missed, which fires if no other one follows.
    latest: datetime | None = None

    @property
    def is_full(self) -> bool:
        return len(self.fires) + (self.latest is not None) >= MAX_DUE

    def take(self, tick: datetime, *, is_missed: bool) -> None:
        """Handle the tick after all these."""
        if not is_missed or self._catches_up(tick):
            self.fires.append(tick)
            return
        let_go: datetime | None = tick
        if self.plan.catch_up is CatchUp.ONE:
            let_go, self.latest = self.latest, tick
        self.missed_at = self.missed_at or let_go

    def due(self, next_at: datetime | None) -> Due:
        latest = [] if self.latest is None else [self.latest]
        return Due(ticks=tuple(sorted(self.fires + latest)), missed_at=self.missed_at, next_at=next_at)

    def _catches_up(self, tick: datetime) -> bool:
        window = self.plan.catch_up_window
        return self.plan.catch_up is CatchUp.ALL and (window is None or self.now - tick <= window)


def _long_gone(plan: TimerPlan, tick_at: datetime, now: datetime, back_at: datetime) -> datetime:
    """Ticks later than `tick_at`, up to this: all were missed, whatever their jitter, and are let go, but for
    the last of `CatchUp.ONE`."""
    missed = max(back_at, tick_at) - plan.schedule.jitter
    match plan.catch_up:
        case CatchUp.SKIP | CatchUp.ONE:
            return missed
        case CatchUp.ALL:
            age = now - tick_at
            window = age if plan.catch_up_window is None else min(plan.catch_up_window, age)
            return min(missed, now - window - _INSTANT)
        case unreachable:
            assert_never(unreachable)


def _skim(tally: _Tally, after: datetime, until: datetime) -> datetime:
    """Handle the ticks later than `after`, up to `until`, which are let go but for the last, at one stroke.

    Returns:
        Where ticks are yet to be handled: later than this.
    """
    schedule = tally.plan.schedule
    first = next(list_ticks(schedule, after), None) if until > after else None
    if first is None or first > until:
        return after
    tally.take(first, is_missed=True)
    if tally.plan.catch_up is CatchUp.ONE:
        last = _last_tick(schedule, first, until)
        if last > first:
            tally.take(last, is_missed=True)
    return until


def _last_tick(schedule: Schedule, first: datetime, until: datetime) -> datetime:
    """The last tick of the schedule up to `until`, found by halves; `first` is one."""
    last, none_after = first, until
    while none_after - last >= CLOSEST:
        middle = last + (none_after - last) / 2
        tick = next(list_ticks(schedule, middle), None)
        if tick is None or tick > until:
            none_after = middle
        else:
            last = tick
    return last
