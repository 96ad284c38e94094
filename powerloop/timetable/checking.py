"""Checking: whether a schedule can be followed, and what to write instead if not."""

from datetime import UTC, datetime, timedelta
from typing import Final

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import DstRule, Schedule
from powerloop.mending.words import did_you_mean
from powerloop.timetable.cron import read_cron
from powerloop.timetable.ticks import CLOSEST
from powerloop.timetable.zones import find_zone

#: Ten years.
MAX_EVERY: Final = timedelta(days=3_653)
#: A hundred years.
MAX_AFTER: Final = timedelta(days=36_525)
MAX_JITTER: Final = timedelta(days=1)

#: How far a tick is from the ends of the calendar, so that its jitter and its zone fit in.
_MARGIN: Final = timedelta(days=2)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + _MARGIN
_LAST: Final = datetime.max.replace(tzinfo=UTC) - _MARGIN

_KINDS: Final = {
    "at": "at=datetime(2030, 1, 31, 9, tzinfo=UTC)",
    "after": "after=timedelta(minutes=30)",
    "every": "every=timedelta(hours=1)",
    "cron": "cron='0 9 * * 1-5'",
}
_ONE_KIND: Final = f"Give exactly one of them: {', '.join(_KINDS.values())}."


def check_schedule(schedule: Schedule) -> None:
    """Pass a schedule that can be followed; see `Timetable.check`.

    Raises:
        ScheduleInvalid: it cannot.
    """
    _check_kind(schedule)
    _check_bounds(schedule)
    if schedule.after is not None:
        _check_span("after", schedule.after, timedelta(0), MAX_AFTER, "0 to 100 years")
    if schedule.every is not None:
        _check_span("every", schedule.every, CLOSEST, MAX_EVERY, "1 second to 10 years")
    if schedule.cron is not None:
        _check_cron(schedule.cron, schedule.dst)
    _check_jitter(schedule)
    find_zone(schedule.tz)


def _check_kind(schedule: Schedule) -> None:
    if not isinstance(schedule, Schedule):
        raise ScheduleInvalid(f"this is no Schedule, but {_kind_of(schedule)}.", hint=_ONE_KIND)
    kinds = [kind for kind in _KINDS if getattr(schedule, kind) is not None]
    if not kinds:
        raise ScheduleInvalid(f"a schedule needs one of {', '.join(_KINDS)}, and has none.", hint=_ONE_KIND)
    if len(kinds) > 1:
        raise ScheduleInvalid(
            f"a schedule has one of {', '.join(_KINDS)}, and this one has {' and '.join(kinds)}.",
            hint=_ONE_KIND,
        )


def _check_bounds(schedule: Schedule) -> None:
    at = _instant("at", schedule.at)
    start = _instant("start", schedule.start)
    end = _instant("end", schedule.end)
    _check_range("at", at)
    _check_range("start", start)
    if start is not None and end is not None and end < start:
        raise ScheduleInvalid(
            f"the end, {end.isoformat()}, is before the start, {start.isoformat()}.",
            hint="Give a later end, or none.",
        )
    if at is not None and not (start or at) <= at <= (end or at):
        raise ScheduleInvalid(
            f"it never fires: at, {at.isoformat()}, is not between its start and its end.",
            hint="With at, give neither of them.",
        )


def _instant(name: str, value: object) -> datetime | None:
    """The value, in UTC."""
    if value is None:
        return None
    example = f"Write {name}=datetime(2030, 1, 31, 9, tzinfo=UTC), or with tzinfo=ZoneInfo('Europe/Berlin')."
    if not isinstance(value, datetime):
        raise ScheduleInvalid(f"{name} is a datetime, not {_kind_of(value)}.", hint=example)
    try:
        if value.utcoffset() is not None:
            return value.astimezone(UTC)
    except (ArithmeticError, NotImplementedError, TypeError, ValueError) as error:
        raise ScheduleInvalid(f"{name} is not within the years 1 to 9999.", hint=example) from error
    raise ScheduleInvalid(f"{name} has no time zone: which instant is it?", hint=example)


def _check_range(name: str, instant: datetime | None) -> None:
    if instant is not None and not _FIRST <= instant <= _LAST:
        raise ScheduleInvalid(
            f"{name}, {instant.isoformat()}, is too near to the ends of the calendar.",
            hint="Give an instant at least two days within the years 1 to 9999.",
        )


def _check_span(name: str, span: object, least: timedelta, most: timedelta, range_: str) -> timedelta:
    if not isinstance(span, timedelta):
        raise ScheduleInvalid(
            f"{name} is a timedelta, not {_kind_of(span)}.", hint=f"Write {name}=timedelta(minutes=30)."
        )
    if not least <= span <= most:
        sign = "-" if span < timedelta(0) else ""
        raise ScheduleInvalid(f"{name} is {sign}{abs(span)}, out of range.", hint=f"It takes {range_}.")
    return span


def _check_cron(written: object, dst: object) -> None:
    if not isinstance(written, str):
        raise ScheduleInvalid(
            f"cron is an expression as text, not {_kind_of(written)}.", hint=f"Write {_KINDS['cron']}."
        )
    read_cron(written)
    if dst not in list(DstRule):
        near = did_you_mean(dst, [rule.value for rule in DstRule])
        raise ScheduleInvalid(
            f"there is no such rule dst{f': {near}' if near else '.'}",
            hint=f"There are: {', '.join(DstRule)}.",
        )


def _check_jitter(schedule: Schedule) -> None:
    jitter = _check_span("jitter", schedule.jitter, timedelta(0), MAX_JITTER, "0 to 1 day")
    if schedule.every is not None and jitter >= schedule.every:
        raise ScheduleInvalid(
            f"jitter is {jitter}, and every is {schedule.every}: ticks would overtake each other.",
            hint="Give a jitter that is shorter than every.",
        )


def _kind_of(value: object) -> str:
    return f"a value of type {type(value).__name__}"
