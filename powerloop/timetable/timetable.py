"""The timetable whose cron expressions `cronsim` reads."""

from collections.abc import Iterator
from datetime import datetime

from powerloop.kernel.ports.timetable import Due
from powerloop.kernel.timers import Schedule, Timer
from powerloop.timetable.checking import check_schedule
from powerloop.timetable.due import find_due
from powerloop.timetable.ticks import list_ticks


class CronTimetable:
    """Reads schedules; see `kernel.ports.timetable.Timetable`."""

    def check(self, schedule: Schedule) -> None:
        check_schedule(schedule)

    def ticks(self, schedule: Schedule, after: datetime) -> Iterator[datetime]:
        return list_ticks(schedule, after)

    def due(self, timer: Timer, now: datetime, back_at: datetime) -> Due:
        return find_due(timer, now, back_at)
