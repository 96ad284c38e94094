"""The timetable: which instants a schedule names, and which of a timer's ticks are to fire."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from powerloop.kernel.timers import Schedule, Timer


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What of a timer is due."""

    #: The ticks that are to fire now, by the schedule, in order. Of many, only the first hundred.
    ticks: tuple[datetime, ...]
    #: The first of the ticks that were due while no beat ran and are let go; `None`: none are.
    missed_at: datetime | None
    #: The tick after all these; `None`: there is none.
    next_at: datetime | None

    @property
    def after_first(self) -> datetime | None:
        """The tick after the first of `ticks`."""
        return self.ticks[1] if len(self.ticks) > 1 else self.next_at


class Timetable(Protocol):
    """Reads schedules. All of it is without I/O, but for the data of the time zones."""

    def check(self, schedule: Schedule) -> None:
        """Pass a schedule that can be followed.

        Raises:
            ScheduleInvalid: it cannot; the message says why, the hint what to write instead.
        """
        ...

    def ticks(self, schedule: Schedule, after: datetime) -> Iterator[datetime]:
        """The instants that the schedule names later than `after`, in order, in UTC, between its start and
        its end. `Schedule.after` is none yet: it has been made an `at`."""
        ...

    def due(self, timer: Timer, now: datetime, back_at: datetime) -> Due:
        """Which ticks of an armed timer are to fire now.

        Those that were due up to `back_at` are late because no beat ran: the timer's `catch_up` decides on
        them. Those after that fire, however late.

        Args:
            timer: With a tick.
            now: The present.
            back_at: When the beats, or one of them, came back the last time that all were away.
        """
        ...
