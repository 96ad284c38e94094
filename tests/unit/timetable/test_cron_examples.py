"""Cron expressions, by examples: what they match, and when that is on the days on which clocks jump."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from powerloop.kernel.timers import DstRule, Schedule
from powerloop.timetable import CronTimetable

SKIP, ONCE, TWICE = DstRule.SKIP, DstRule.ONCE, DstRule.TWICE
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def ticks(cron, after, count, tz="UTC", dst=ONCE):
    """The next ticks, in UTC, as written down."""
    schedule = Schedule(cron=cron, tz=tz, dst=dst)
    CronTimetable().check(schedule)
    instants = CronTimetable().ticks(schedule, datetime.fromisoformat(after).replace(tzinfo=UTC))
    return [f"{tick:%Y-%m-%d %H:%M:%S}".removesuffix(":00") for tick in islice(instants, count)]


@pytest.mark.parametrize(
    ("tz", "dst", "after", "expected"),
    [
        (BERLIN, ONCE, "2026-03-28", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        (BERLIN, SKIP, "2026-03-28", ["2026-03-28 01:30", "2026-03-30 00:30", "2026-03-31 00:30"]),
        (BERLIN, TWICE, "2026-03-28", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        (BERLIN, ONCE, "2026-10-24", ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]),
        (BERLIN, SKIP, "2026-10-24", ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]),
        (BERLIN, TWICE, "2026-10-25", ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-26 01:30"]),
        (NEW_YORK, ONCE, "2026-03-07", ["2026-03-07 07:30", "2026-03-08 07:00", "2026-03-09 06:30"]),
        (NEW_YORK, SKIP, "2026-03-07", ["2026-03-07 07:30", "2026-03-09 06:30", "2026-03-10 06:30"]),
        (NEW_YORK, TWICE, "2026-03-07", ["2026-03-07 07:30", "2026-03-08 07:00", "2026-03-09 06:30"]),
    ],
)
def test_half_past_two_every_day(tz, dst, after, expected):
    assert ticks("30 2 * * *", after, 3, tz, dst) == expected


@pytest.mark.parametrize(
    ("dst", "expected"),
    [
        (ONCE, ["2026-11-01 05:30", "2026-11-02 06:30", "2026-11-03 06:30"]),
        (SKIP, ["2026-11-01 05:30", "2026-11-02 06:30", "2026-11-03 06:30"]),
        (TWICE, ["2026-11-01 05:30", "2026-11-01 06:30", "2026-11-02 06:30"]),
    ],
)
def test_half_past_one_comes_twice_in_new_york(dst, expected):
    assert ticks("30 1 * * *", "2026-11-01", 3, NEW_YORK, dst) == expected


def test_two_times_of_an_hour_that_comes_twice_are_in_the_order_of_their_instants():
    hour = ["2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30"]

    assert ticks("0,30 2 * * *", "2026-10-24T12:00", 5, BERLIN, TWICE) == [*hour, "2026-10-26 01:00"]
    assert ticks("0,30 2 * * *", "2026-10-24T12:00", 3, BERLIN, ONCE) == [*hour[:2], "2026-10-26 01:00"]


def test_two_times_that_are_left_out_are_one_tick():
    assert ticks("0,30 2 * * *", "2026-03-28T12:00", 2, BERLIN) == ["2026-03-29 01:00", "2026-03-30 00:00"]


def test_a_time_that_is_left_out_meets_one_that_is_there():
    assert ticks("0 2,3 * * *", "2026-03-28T12:00", 2, BERLIN, ONCE) == [
        "2026-03-29 01:00",
        "2026-03-30 00:00",
    ]
    assert ticks("0 2,3 * * *", "2026-03-28T12:00", 2, BERLIN, SKIP) == [
        "2026-03-29 01:00",
        "2026-03-30 00:00",
    ]


@pytest.mark.parametrize(
    ("dst", "after", "expected"),
    [
        # In the first hour from two to three, before and after the time.
        (ONCE, "2026-10-25T00:10", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        (ONCE, "2026-10-25T00:30", ["2026-10-26 01:30", "2026-10-27 01:30"]),
        (TWICE, "2026-10-25T00:30", ["2026-10-25 01:30", "2026-10-26 01:30"]),
        # In the second one.
        (ONCE, "2026-10-25T01:10", ["2026-10-26 01:30", "2026-10-27 01:30"]),
        (TWICE, "2026-10-25T01:10", ["2026-10-25 01:30", "2026-10-26 01:30"]),
        (TWICE, "2026-10-25T01:30", ["2026-10-26 01:30", "2026-10-27 01:30"]),
    ],
)
def test_reading_may_begin_within_an_hour_that_comes_twice(dst, after, expected):
    assert ticks("30 2 * * *", after, 2, BERLIN, dst) == expected


def test_reading_may_begin_when_the_clock_jumps():
    assert ticks("30 2 * * *", "2026-03-29T00:59:59.999999", 1, BERLIN) == ["2026-03-29 01:00"]
    assert ticks("30 2 * * *", "2026-03-29T01:00", 1, BERLIN) == ["2026-03-30 00:30"]


@pytest.mark.parametrize(
    ("dst", "after", "expected"),
    [
        # At 2:00 it is 2:30.
        (ONCE, "2026-10-03T12:00", ["2026-10-03 15:30", "2026-10-04 15:10"]),
        (SKIP, "2026-10-03T12:00", ["2026-10-04 15:10", "2026-10-05 15:10"]),
        # At 2:00 it is 1:30; ten past two comes once.
        (TWICE, "2026-04-04T12:00", ["2026-04-04 15:40", "2026-04-05 15:40"]),
    ],
)
def test_a_clock_may_jump_by_half_an_hour(dst, after, expected):
    assert ticks("10 2 * * *", after, 2, LORD_HOWE, dst) == expected


def test_a_wildcard_finds_all_of_an_hour_that_begins_after_a_shift_of_half_an_hour():
    quarters = ["2026-04-04 15:30", "2026-04-04 15:45", "2026-04-04 16:00", "2026-04-04 16:15"]

    assert ticks("*/15 2 * * *", "2026-04-04T12:00", 4, LORD_HOWE) == quarters


def test_a_whole_day_may_be_left_out():
    assert ticks("0 12 30 12 *", "2011-12-29", 2, "Pacific/Apia", ONCE) == [
        "2011-12-30 10:00",
        "2012-12-29 22:00",
    ]
    assert ticks("0 12 30 12 *", "2011-12-29", 1, "Pacific/Apia", SKIP) == ["2012-12-29 22:00"]


def test_a_whole_day_may_come_twice():
    first, second, later = "1969-09-29 21:00", "1969-09-30 20:00", "1969-10-01 20:00"

    assert ticks("0 8 * * *", "1969-09-29", 3, "Pacific/Kwajalein", TWICE) == [first, second, later]
    assert ticks("0 8 * * *", "1969-09-29", 2, "Pacific/Kwajalein", ONCE) == [first, later]


@pytest.mark.parametrize("dst", DstRule)
@pytest.mark.parametrize("after", ["2026-03-28T22:00", "2026-10-24T22:00"])
def test_every_half_hour_goes_on_through_both_jumps(after, dst):
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC)
    steps = [begin + number * timedelta(minutes=30) for number in range(1, 13)]

    assert ticks("*/30 * * * *", after, 12, BERLIN, dst) == [f"{step:%Y-%m-%d %H:%M}" for step in steps]


def test_a_time_of_day_with_its_second_goes_by_the_rule_too():
    first, second, next_day = "2026-10-25 00:30:15", "2026-10-25 01:30:15", "2026-10-26 01:30:15"
    assert ticks("15 30 2 * * *", "2026-10-25", 2, BERLIN, ONCE) == [first, next_day]
    assert ticks("15 30 2 * * *", "2026-10-25", 3, BERLIN, TWICE) == [first, second, next_day]
    assert ticks("15 30 2 * * *", "2026-03-28T12:00", 1, BERLIN, SKIP) == ["2026-03-30 00:30:15"]
    assert ticks("*/20 30 2 * * *", "2026-03-28T12:00", 2, BERLIN, ONCE) == [
        "2026-03-29 01:00",
        "2026-03-30 00:30",
    ]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 12 29 2 *", ["2028-02-29 12:00", "2032-02-29 12:00"]),
        ("59 23 31 12 *", ["2026-12-31 23:59", "2027-12-31 23:59"]),
        ("0 0 L * *", ["2026-01-31", "2026-02-28"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * FRI#2", ["2026-01-09", "2026-02-13"]),
        ("0 0 * * 5L", ["2026-01-30", "2026-02-27"]),
        ("0 0 * * 0", ["2026-01-04", "2026-01-11"]),
        ("0 0 * * 7", ["2026-01-04", "2026-01-11"]),
        ("0 0 13 * FRI", ["2026-01-02", "2026-01-09"]),
        ("0 0 */13 * FRI", ["2026-02-27", "2026-03-27"]),
        ("0 9-17/4 * jan mon-fri", ["2026-01-01 09:00", "2026-01-01 13:00"]),
        ("5-5/10 1 * * *", ["2026-01-01 01:05", "2026-01-02 01:05"]),
        ("0 0 * * mon-mon/2", ["2026-01-05", "2026-01-12"]),
        ("*/20 * * * * *", ["2026-01-01 00:00:20", "2026-01-01 00:00:40"]),
        ("30 0 9 * * 1-5", ["2026-01-01 09:00:30", "2026-01-02 09:00:30"]),
        ("  0   9\t*\n* * ", ["2026-01-01 09:00", "2026-01-02 09:00"]),
    ],
)
def test_what_an_expression_matches(cron, expected):
    assert ticks(cron, "2026-01-01T00:00", 2) == [one if ":" in one else f"{one} 00:00" for one in expected]


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("@hourly", ["2026-01-01 01:00", "2026-01-01 02:00"]),
        ("@daily", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@midnight", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("@monthly", ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        (" @Annually ", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_what_an_alias_stands_for(alias, expected):
    assert ticks(alias, "2026-01-01T00:00", 2) == expected


def test_midnight_fires_though_the_clock_jumps_over_it():
    assert ticks("@daily", "2017-10-14T12:00", 2, "America/Sao_Paulo") == [
        "2017-10-15 03:00",
        "2017-10-16 02:00",
    ]
