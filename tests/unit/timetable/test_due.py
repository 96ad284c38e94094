"""Which ticks of a timer fire, and which are let go, whether the beats have been away or not."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from powerloop.kernel.ports.timetable import Due
from powerloop.kernel.timer_edges import due_of
from powerloop.kernel.timers import CatchUp, Schedule
from powerloop.timetable import CronTimetable
from powerloop.timetable import due as due_module
from tests.unit.timetable.timers import DAY, EVERY_MINUTE, HOUR, MINUTE, MINUTELY, NOON, armed

SKIP, ONE, ALL = CatchUp.SKIP, CatchUp.ONE, CatchUp.ALL
#: The beats were never away.
NEVER_AWAY = datetime.min.replace(tzinfo=UTC)
BOTH_KINDS = pytest.mark.parametrize("schedule", [EVERY_MINUTE, MINUTELY], ids=["every", "cron"])


def due(timer, now, back_at=NEVER_AWAY):
    return CronTimetable().due(timer, now, back_at)


def nothing(next_at):
    return Due(ticks=(), missed_at=None, next_at=next_at)


def minutes(*numbers):
    return tuple(NOON + number * MINUTE for number in numbers)


@pytest.fixture
def walked(monkeypatch):
    """The ticks that are looked at."""
    seen = []

    def list_ticks(schedule, after):
        for tick in CronTimetable().ticks(schedule, after):
            seen.append(tick)
            yield tick

    monkeypatch.setattr(due_module, "list_ticks", list_ticks)
    return seen


@BOTH_KINDS
def test_a_tick_fires_when_it_is_due(schedule):
    assert due(armed(schedule), NOON) == Due(ticks=(NOON,), missed_at=None, next_at=NOON + MINUTE)


def test_nothing_is_due_before_the_tick_is():
    assert due(armed(), NOON - timedelta(microseconds=1)) == nothing(NOON)


def test_nothing_is_due_of_a_timer_without_a_tick():
    assert due(armed(tick_at=None), NOON) == nothing(None)


@BOTH_KINDS
@pytest.mark.parametrize("catch_up", CatchUp)
def test_what_is_late_while_beats_run_fires_whatever_the_catch_up(catch_up, schedule):
    found = due(armed(schedule, catch_up), NOON + 2.5 * MINUTE, back_at=NOON - MINUTE)

    assert found == Due(ticks=minutes(0, 1, 2), missed_at=None, next_at=NOON + 3 * MINUTE)


@BOTH_KINDS
@pytest.mark.parametrize(
    ("catch_up", "fire", "missed_at"),
    [
        (SKIP, (), NOON),
        (ONE, (2,), NOON),
        (ALL, (0, 1, 2), None),
    ],
)
def test_three_ticks_are_missed(catch_up, fire, missed_at, schedule):
    found = due(armed(schedule, catch_up), NOON + 2.5 * MINUTE, back_at=NOON + 2.2 * MINUTE)

    assert found == Due(ticks=minutes(*fire), missed_at=missed_at, next_at=NOON + 3 * MINUTE)


@BOTH_KINDS
@pytest.mark.parametrize(
    ("catch_up", "fire", "missed_at"),
    [
        (SKIP, (3, 4), NOON),
        (ONE, (2, 3, 4), NOON),
        (ALL, (0, 1, 2, 3, 4), None),
    ],
)
def test_ticks_since_the_beats_are_back_fire_after_those_that_were_missed(
    catch_up, fire, missed_at, schedule
):
    found = due(armed(schedule, catch_up), NOON + 4 * MINUTE, back_at=NOON + 2 * MINUTE)

    assert found == Due(ticks=minutes(*fire), missed_at=missed_at, next_at=NOON + 5 * MINUTE)


def test_one_missed_tick_is_the_last_of_them():
    found = due(armed(catch_up=ONE), NOON + MINUTE / 2, back_at=NOON + MINUTE / 3)

    assert found == Due(ticks=(NOON,), missed_at=None, next_at=NOON + MINUTE)


@BOTH_KINDS
def test_missed_ticks_that_are_older_than_the_window_are_let_go(schedule):
    now = NOON + 10 * MINUTE
    found = due(armed(schedule, ALL, window=3 * MINUTE), now, back_at=now - MINUTE / 2)

    assert found == Due(ticks=minutes(7, 8, 9, 10), missed_at=NOON, next_at=NOON + 11 * MINUTE)


def test_the_window_is_not_asked_of_ticks_since_the_beats_are_back():
    now = NOON + 10 * MINUTE
    found = due(armed(catch_up=ALL, window=3 * MINUTE), now, back_at=NOON + 5 * MINUTE)

    assert found == Due(ticks=minutes(6, 7, 8, 9, 10), missed_at=NOON, next_at=NOON + 11 * MINUTE)


@pytest.mark.parametrize("window", [timedelta.max, 1000 * DAY, None])
def test_a_window_may_be_longer_than_anything(window):
    found = due(armed(catch_up=ALL, window=window), NOON + MINUTE, back_at=NOON + MINUTE)

    assert found == Due(ticks=minutes(0, 1), missed_at=None, next_at=NOON + 2 * MINUTE)


@BOTH_KINDS
def test_of_many_ticks_the_first_hundred_are_due_and_the_others_come_next(schedule):
    now = NOON + 249 * MINUTE
    first = due(armed(schedule, ALL), now, back_at=now)
    second = due(armed(schedule, ALL, tick_at=first.next_at), now, back_at=now)
    third = due(armed(schedule, ALL, tick_at=second.next_at), now, back_at=now)

    assert [len(one.ticks) for one in (first, second, third)] == [100, 100, 50]
    assert first.ticks + second.ticks + third.ticks == minutes(*range(250))
    assert (first.next_at, third.next_at) == minutes(100, 250)


def test_the_last_that_was_missed_is_one_of_the_hundred():
    found = due(armed(catch_up=ONE), NOON + 500 * MINUTE, back_at=NOON + 50 * MINUTE)

    assert found == Due(ticks=minutes(*range(50, 150)), missed_at=NOON, next_at=NOON + 150 * MINUTE)


def test_the_hundredth_tick_may_be_the_last_that_is_due():
    found = due(armed(), NOON + 99 * MINUTE)

    assert found == Due(ticks=minutes(*range(100)), missed_at=None, next_at=NOON + 100 * MINUTE)


@BOTH_KINDS
@pytest.mark.parametrize(
    ("catch_up", "window", "fire"),
    [(SKIP, None, 0), (ONE, None, 1), (ALL, HOUR, 61), (ALL, None, 100)],
)
def test_a_year_of_downtime_is_not_walked_through(walked, catch_up, window, fire, schedule):
    now = NOON + 365 * DAY
    found = due(armed(schedule, catch_up, window=window), now, back_at=now)

    assert len(found.ticks) == fire
    assert found.missed_at == (NOON if fire < 100 else None)
    assert found.next_at == (now + MINUTE if fire < 100 else NOON + 100 * MINUTE)
    assert found.ticks[-1:] == ((now,) if fire < 100 else (NOON + 99 * MINUTE,))[: len(found.ticks)]
    assert len(walked) < 175


def test_the_last_of_a_burst_long_ago_is_found_without_walking_through_it(walked):
    schedule = Schedule(cron="* * * * 5 *")
    found = due(armed(schedule), NOON + 200 * DAY, back_at=NOON + 200 * DAY)

    assert found.ticks == (datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC),)
    assert found.next_at == datetime(2027, 5, 1, tzinfo=UTC)
    assert len(walked) < 50


def test_a_postponed_tick_fires_when_it_is_due():
    schedule = Schedule(every=HOUR, start=NOON)
    timer = armed(schedule, due_at=NOON + MINUTE)

    assert due(timer, NOON + MINUTE / 2) == nothing(NOON)
    assert due(timer, NOON + MINUTE) == Due(ticks=(NOON,), missed_at=None, next_at=NOON + HOUR)


def test_the_ticks_that_pass_before_a_postponed_one_fires_are_dropped():
    timer = armed(due_at=NOON + 2.5 * MINUTE)

    assert due(timer, NOON + 2 * MINUTE) == nothing(NOON)
    assert due(timer, NOON + 2.5 * MINUTE) == Due(ticks=minutes(0), missed_at=None, next_at=NOON + 3 * MINUTE)
    assert due(timer, NOON + 4 * MINUTE).ticks == minutes(0, 3, 4)


def test_a_tick_that_was_postponed_beyond_the_downtime_is_not_missed():
    timer = armed(catch_up=SKIP, due_at=NOON + 2.5 * MINUTE)
    found = due(timer, NOON + 2.5 * MINUTE, back_at=NOON + 1.5 * MINUTE)

    assert found == Due(ticks=minutes(0), missed_at=None, next_at=NOON + 3 * MINUTE)


def test_a_tick_may_be_due_before_its_instant():
    schedule = Schedule(every=HOUR, start=NOON)
    found = due(armed(schedule, due_at=NOON - HOUR), NOON - HOUR, back_at=NOON - HOUR)

    assert found == Due(ticks=(NOON,), missed_at=None, next_at=NOON + HOUR)


def test_ticks_are_due_later_by_their_jitter():
    schedule = Schedule(cron="0 * * * *", jitter=10 * MINUTE)
    timer = armed(schedule)
    second = due_of(timer.id, NOON + HOUR, schedule.jitter)
    assert NOON < timer.due_at < NOON + 10 * MINUTE
    assert NOON + HOUR < second < NOON + HOUR + 10 * MINUTE

    assert due(timer, timer.due_at - timedelta(seconds=1)) == nothing(NOON)
    assert due(timer, second - timedelta(seconds=1)).ticks == (NOON,)
    assert due(timer, second).ticks == (NOON, NOON + HOUR)
    assert due(timer, second, back_at=second - timedelta(seconds=1)).missed_at is None
    assert due(timer, second, back_at=second).missed_at == NOON


def test_no_tick_is_due_after_the_end():
    schedule = Schedule(cron="* * * * *", end=NOON + 2.5 * MINUTE)

    assert due(armed(schedule), NOON + DAY) == Due(ticks=minutes(0, 1, 2), missed_at=None, next_at=None)
    for catch_up, fire in ((SKIP, ()), (ONE, (2,)), (ALL, (0, 1, 2))):
        found = due(armed(schedule, catch_up), NOON + DAY, back_at=NOON + DAY)
        assert (found.ticks, found.next_at) == (minutes(*fire), None)


@pytest.mark.parametrize(
    ("catch_up", "window", "back_at", "fires"),
    [
        (SKIP, None, NOON - HOUR, True),
        (SKIP, None, NOON + HOUR, False),
        (ONE, None, NOON + HOUR, True),
        (ALL, None, NOON + HOUR, True),
        (ALL, 3 * HOUR, NOON + HOUR, True),
        (ALL, HOUR, NOON + HOUR, False),
    ],
)
def test_a_single_tick_fires_or_is_let_go(catch_up, window, back_at, fires):
    timer = armed(Schedule(at=NOON), catch_up, window=window)
    found = due(timer, NOON + 2 * HOUR, back_at)

    assert found == Due(ticks=(NOON,) if fires else (), missed_at=None if fires else NOON, next_at=None)


def test_the_clocks_of_the_instants_do_not_matter():
    berlin = ZoneInfo("Europe/Berlin")
    # Half past two comes twice: the second one is later than a quarter to three, by this clock too.
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(berlin) for hour in (0, 1))
    between = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    timer = armed(Schedule(cron="*/30 * * * *"), tick_at=first, due_at=second)

    assert due(timer, between.astimezone(berlin)) == nothing(first.astimezone(UTC))
    found = due(timer, second, back_at=second)
    assert found.ticks == (second.astimezone(UTC),)
    assert {one.tzinfo for one in (*found.ticks, found.missed_at, found.next_at)} == {UTC}


def test_a_timer_goes_through_all_its_ticks_one_by_one():
    schedule = Schedule(cron="30 2 * * *", tz="Europe/Berlin", jitter=HOUR)
    ticks = CronTimetable().ticks(schedule, datetime(2026, 3, 20, tzinfo=UTC))
    expected = list(islice(ticks, 20))
    timer, fired = armed(schedule, tick_at=expected[0]), []
    while len(fired) < 19:
        found = due(timer, timer.due_at)
        fired += found.ticks
        timer = armed(schedule, tick_at=found.next_at)

    assert [*fired, timer.tick_at] == expected
