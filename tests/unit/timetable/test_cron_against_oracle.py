"""Cron expressions in zones whose clocks jump, against a walk through every minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from random import Random

import pytest

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import DstRule, Schedule
from powerloop.timetable import CronTimetable
from tests.unit.timetable.expressions import expression
from tests.unit.timetable.oracle import expected_days, expected_ticks, window

#: Where clocks jump, or the calendar does, by the date in UTC.
EDGES = [
    ("UTC", "2024-02-29"),
    ("UTC", "2026-12-31"),
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Europe/Berlin", "2028-02-29"),
    ("Europe/London", "2045-10-29"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("America/New_York", "2027-01-01"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Asia/Kolkata", "2024-02-29"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Apia", "2011-09-24"),
    ("Pacific/Kwajalein", "1969-09-30"),
    ("America/Sao_Paulo", "2017-10-15"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Havana", "2026-11-01"),
    ("America/St_Johns", "2006-10-29"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Antarctica/Troll", "2026-10-25"),
    ("Asia/Gaza", "2023-04-29"),
    ("Asia/Pyongyang", "2015-08-14"),
]
EXPRESSIONS_PER_EDGE = 240

timetable = CronTimetable()


@pytest.mark.parametrize(("zone", "day"), EDGES)
def test_random_expressions_tick_when_a_walk_through_the_minutes_says(zone, day):
    random = Random(f"{zone} {day}")
    edge = datetime.fromisoformat(day).replace(tzinfo=UTC)
    begin, end = edge - timedelta(days=3), edge + timedelta(hours=42)
    minutes = window(zone, begin, end)
    compared = 0
    for _ in range(EXPRESSIONS_PER_EDGE):
        text = expression(random, edge.date())
        # Not near the beginning of the window: what comes twice is to have been there once in it.
        after = edge + timedelta(seconds=random.randint(-24 * 3600, 36 * 3600))
        rules = expected_ticks(text, minutes)
        if is_refused(text):
            assert not any(rules.values()), text
            continue
        if rules["skip"] is rules["twice"]:
            # The rule is not asked, so that any one will do.
            rules = dict([random.choice(list(rules.items()))])
        for dst, every in rules.items():
            expected = [tick for tick in every if tick > after]
            found = ticks(text, zone, dst, after, end)
            assert found == expected, f"{text!r} in {zone} with {dst}, after {after}"
            compared += len(found)
    assert compared > EXPRESSIONS_PER_EDGE


@pytest.mark.parametrize("seed", range(8))
def test_random_expressions_match_the_days_that_a_calendar_says(seed):
    random = Random(seed)
    begin = datetime(random.choice([1999, 2015, 2095, 2199]), random.randint(1, 12), 1, tzinfo=UTC)
    end = begin + timedelta(days=6 * 366)
    for _ in range(12):
        month, day = random.choice([(2, 28), (2, 29), (12, 31), (1, 1), (4, 30), (5, 31)])
        text = sparse(random, date(2000, month, day))
        expected = list(expected_days(text, begin.date(), end.date()))
        if is_refused(text):
            assert expected == [], text
        else:
            assert ticks(text, "UTC", "once", begin - timedelta(seconds=1), end) == expected, text


def ticks(text, zone, dst, after, end):
    found = timetable.ticks(Schedule(cron=text, tz=zone, dst=DstRule(dst)), after)
    return list(takewhile(lambda tick: tick < end, found))


def is_refused(text):
    try:
        timetable.check(Schedule(cron=text))
    except ScheduleInvalid:
        return True
    return False


def sparse(random: Random, near: date) -> str:
    fields = expression(random, near).split()[-3:]
    return " ".join([str(random.randint(0, 59)), str(random.randint(0, 23)), *fields])
