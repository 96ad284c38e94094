"""What cron expressions mean, by brute force: no code of cronsim, or of ours, has a part in it.

A window of some days is walked through minute by minute, with the local time of each. Which of these local
times were there before, and which are left out between two minutes, is seen from the walk itself.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Minute:
    """One minute of a window."""

    instant: datetime
    wall: datetime
    #: Whether the clock showed this before.
    again: bool
    #: The local times that the clock has just jumped over.
    jumped: tuple[datetime, ...]


@cache
def window(zone: str, begin: datetime, end: datetime) -> tuple[Minute, ...]:
    tz, minutes, seen = ZoneInfo(zone), [], set()
    instant, expected = begin, None
    while instant < end:
        wall = instant.astimezone(tz).replace(tzinfo=None, fold=0)
        jumped = []
        while expected is not None and expected < wall:
            if expected not in seen:
                jumped.append(expected)
            expected += MINUTE
        minutes.append(Minute(instant, wall, wall in seen, tuple(jumped)))
        seen.add(wall)
        instant, expected = instant + MINUTE, wall + MINUTE
    return tuple(minutes)


def expected_ticks(text: str, minutes: tuple[Minute, ...]) -> dict[str, list[datetime]]:
    """The ticks of an expression in a window, by the rule for days on which clocks jump."""
    fields = text.upper().split()
    seconds = values(fields.pop(0), 0, 59) if len(fields) == 6 else {0}
    minute, hour = values(fields[0], 0, 59), values(fields[1], 0, 23)
    near = [one for one in minutes if one.jumped or (one.wall.minute in minute and one.wall.hour in hour)]
    days = {wall.date() for one in near for wall in (one.wall, *one.jumped)}
    days = {day for day in days if matches_day(fields, day)}

    def matches(wall: datetime) -> bool:
        return wall.minute in minute and wall.hour in hour and wall.date() in days

    def at(some: list[Minute]) -> set[datetime]:
        return {one.instant + timedelta(seconds=second) for one in some for second in seconds}

    real = [one for one in near if matches(one.wall)]
    both = at(real)
    if fields[0].startswith("*") or fields[1].startswith("*"):
        return dict.fromkeys(("skip", "once", "twice"), sorted(both))
    first = at([one for one in real if not one.again])
    moved = {one.instant for one in near if any(map(matches, one.jumped))}
    return {"skip": sorted(first), "once": sorted(first | moved), "twice": sorted(both | moved)}


def expected_days(text: str, begin: date, end: date) -> Iterator[datetime]:
    """The ticks in UTC of an expression of five fields, day by day."""
    fields = text.upper().split()
    day = begin
    while day < end:
        if matches_day(fields, day):
            for hour in sorted(values(fields[1], 0, 23)):
                for minute in sorted(values(fields[0], 0, 59)):
                    yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        day += timedelta(days=1)


def matches_day(fields: list[str], day: date) -> bool:
    _, _, of_month, month, of_week = fields
    if day.month not in values(month, 1, 12, MONTHS, 1):
        return False
    both = of_month.startswith("*") or of_week.startswith("*")
    hits = (matches_day_of_month(of_month, day), matches_day_of_week(of_week, day))
    return all(hits) if both else any(hits)


def matches_day_of_month(field: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    for term in field.split(","):
        if term == "L":
            hit = day.day == last
        elif term == "LW":
            working = [d for d in range(1, last + 1) if date(day.year, day.month, d).isoweekday() < 6]
            hit = day.day == working[-1]
        else:
            hit = day.day in values(term, 1, 31)
        if hit:
            return True
    return False


def matches_day_of_week(field: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    sunday_first = day.isoweekday() % 7
    for term in field.split(","):
        if term.endswith("L"):
            hit = values(term[:-1], 0, 7, DAYS) & both_sundays(sunday_first) and day.day > last - 7
        elif "#" in term:
            weekday, nth = term.split("#")
            before = (day.day - 1) // 7
            hit = values(weekday, 0, 7, DAYS) & both_sundays(sunday_first) and before + 1 == int(nth)
        else:
            hit = values(term, 0, 7, DAYS) & both_sundays(sunday_first)
        if hit:
            return True
    return False


def both_sundays(weekday: int) -> set[int]:
    return {0, 7} if weekday == 0 else {weekday}


@cache
def values(field: str, least: int, most: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    """The numbers that a field lists."""

    def number(word: str) -> int:
        return names.index(word) + first if word in names else int(word)

    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        if span == "*":
            low, high = least, most
        elif "-" in span:
            low, high = map(number, span.split("-"))
        else:
            low = number(span)
            high = most if step else low
        found |= set(range(low, high + 1, int(step or 1)))
    return frozenset(found)
