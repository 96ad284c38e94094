"""Ticks of each kind of schedule, within its bounds and those of the calendar."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import Schedule
from powerloop.timetable import CronTimetable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ticks(later_than=NOON, count=10, **schedule):
    return list(islice(CronTimetable().ticks(Schedule(**schedule), later_than), count))


def test_an_instant_is_one_tick():
    assert ticks(at=NOON + MINUTE) == [NOON + MINUTE]
    assert ticks(at=NOON) == []


def test_ticks_are_told_in_utc():
    berlin = ZoneInfo("Europe/Berlin")
    schedules = (
        {"at": datetime(2026, 5, 2, tzinfo=berlin)},
        {"every": MINUTE, "start": datetime(2026, 5, 2, tzinfo=berlin)},
        {"cron": "@daily", "tz": "Europe/Berlin"},
    )
    firsts = [ticks(**one)[0] for one in schedules]

    assert firsts == [datetime(2026, 5, 1, 22, tzinfo=UTC)] * 3
    assert {first.tzinfo for first in firsts} == {UTC}


def test_a_period_keeps_its_phase_whatever_the_clock_on_the_wall_does():
    start = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))

    assert [tick.hour for tick in ticks(NOON, 2, every=timedelta(days=1), start=start)] == [11, 11]


def test_a_period_begins_at_its_start():
    start = NOON + timedelta(days=3)

    assert ticks(NOON, 2, every=MINUTE, start=start) == [start, start + MINUTE]
    assert ticks(start, 1, every=MINUTE, start=start) == [start + MINUTE]


@given(
    start=st.integers(0, 4_000_000_000_000_000),
    after=st.integers(0, 4_000_000_000_000_000),
    every=st.timedeltas(timedelta(seconds=1), timedelta(days=3000)),
)
def test_a_period_is_reached_at_one_leap(start, after, every):
    start, after = (EPOCH + timedelta(microseconds=one) for one in (start, after))
    first, second = ticks(after, 2, every=every, start=start)

    assert first > after
    assert first == start or first - every <= after
    assert (first - start) % every == timedelta(0)
    assert second == first + every


@pytest.mark.parametrize("kind", [{"every": MINUTE}, {"cron": "* * * * *"}])
def test_no_tick_is_before_the_start_or_after_the_end(kind):
    start = NOON + 5 * MINUTE

    within = ticks(NOON, start=start, end=start + 2 * MINUTE, **kind)
    assert within == [start, start + MINUTE, start + 2 * MINUTE]
    assert ticks(start, start=start, end=start + MINUTE, **kind) == [start + MINUTE]
    assert ticks(start + 9 * MINUTE, start=start, end=start + MINUTE, **kind) == []


def test_an_instant_outside_the_bounds_is_no_tick():
    assert ticks(at=NOON + MINUTE, start=NOON + 2 * MINUTE) == []
    assert ticks(at=NOON + 2 * MINUTE, end=NOON + MINUTE) == []


def test_bounds_may_be_within_a_second():
    half = timedelta(seconds=0.5)

    assert ticks(NOON, 1, cron="* * * * *", start=NOON + MINUTE + half) == [NOON + 2 * MINUTE]
    assert ticks(NOON - half, 1, cron="* * * * *") == [NOON]


@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize("cron", ["0 * * * *", "30 2 * * *", "0 0 1 1 *", "0 0 29 2 *"])
def test_ticks_end_where_the_calendar_does(cron, tz):
    last = datetime(9999, 12, 29, tzinfo=UTC)
    found = ticks(last, 1000, cron=cron, tz=tz)

    assert len(found) < 73
    assert found == sorted(set(found))
    assert all(tick > last for tick in found)


def test_periods_end_where_the_calendar_does():
    last = datetime(9999, 12, 31, 23, 58, 30, tzinfo=UTC)

    assert ticks(last, every=MINUTE, start=NOON) == [last + MINUTE / 2]


@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_ticks_may_be_asked_for_from_the_first_instant_on(tz):
    for kind in ({"cron": "@yearly", "tz": tz}, {"every": MINUTE, "start": NOON}):
        assert len(ticks(datetime.min.replace(tzinfo=UTC), 2, **kind)) == 2


def test_an_instant_may_be_given_in_any_zone():
    after = NOON.astimezone(timezone(timedelta(hours=-9, minutes=-30)))

    assert ticks(after, 1, cron="* * * * *") == [NOON + MINUTE]


@pytest.mark.parametrize("schedule", [{}, {"after": MINUTE}, {"every": MINUTE}])
def test_a_schedule_without_an_instant_to_count_from_has_no_ticks(schedule):
    with pytest.raises(ScheduleInvalid, match="an instant to count from"):
        ticks(**schedule)
