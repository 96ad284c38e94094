"""The timetable: schedules, checked and read."""

from powerloop.timetable.timetable import CronTimetable

__all__ = ["CronTimetable"]
