"""Ticks: the instants that a schedule names."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Final

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import DstRule, Schedule
from powerloop.timetable.cron import read_cron
from powerloop.timetable.cron_ticks import cron_ticks
from powerloop.timetable.zones import find_zone

#: No two ticks of a schedule are nearer to each other.
CLOSEST: Final = timedelta(seconds=1)

_INSTANT: Final = timedelta(microseconds=1)
#: Before this, the clocks of some zones show no year.
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)


def list_ticks(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The instants that the schedule names later than `after`; see `Timetable.ticks`.

    Raises:
        ScheduleInvalid: it cannot be followed, or has no instant to count from.
    """
    after = max(after.astimezone(UTC), _EARLIEST)
    if schedule.start is not None:
        after = max(after, schedule.start.astimezone(UTC) - _INSTANT)
    ticks = dropwhile(lambda tick: tick <= after, _named(schedule, after))
    end = schedule.end.astimezone(UTC) if schedule.end else None
    return ticks if end is None else takewhile(lambda tick: tick <= end, ticks)


def _named(schedule: Schedule, after: datetime) -> Iterable[datetime]:
    if schedule.at is not None:
        return [schedule.at.astimezone(UTC)]
    if schedule.every is not None and schedule.start is not None:
        return _phases(schedule.start.astimezone(UTC), schedule.every, after)
    if schedule.cron is not None:
        zone = find_zone(schedule.tz)
        return cron_ticks(read_cron(schedule.cron), zone, DstRule(schedule.dst), after)
    raise ScheduleInvalid("a schedule of this kind has no ticks before it has an instant to count from.")


def _phases(start: datetime, every: timedelta, after: datetime) -> Iterator[datetime]:
    number = max(0, (after - start) // every)
    try:
        while True:
            yield start + number * every
            number += 1
    except OverflowError:
        return
