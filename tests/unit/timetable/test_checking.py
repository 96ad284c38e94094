"""Schedules that cannot be followed are refused, in words that help."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import Schedule
from powerloop.timetable import CronTimetable

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAIVE = NOON.replace(tzinfo=None)
HOUR = timedelta(hours=1)
NEVER = timedelta(0)

timetable = CronTimetable()


@pytest.mark.parametrize(
    "schedule",
    [
        {"at": NOON},
        {"at": datetime(1970, 1, 1, tzinfo=UTC)},
        {"at": NOON, "jitter": HOUR},
        {"at": NOON, "start": NOON, "end": NOON},
        {"after": NEVER},
        {"after": HOUR, "jitter": timedelta(days=1)},
        {"every": timedelta(seconds=1)},
        {"every": timedelta(days=3653)},
        {"every": HOUR, "jitter": HOUR - timedelta(seconds=1)},
        {"every": HOUR, "dst": "never"},
        {"every": HOUR, "start": NOON, "end": NOON},
        {"every": HOUR, "end": datetime.max.replace(tzinfo=UTC)},
        {"cron": "0 9 * * 1-5", "tz": "Europe/Berlin", "dst": "twice"},
        {"cron": "0 0 29 2 *"},
        {"cron": "0 0 30 2 MON"},
        {"cron": "0 0 * 2 MON#5"},
        {"cron": " @DAILY\n"},
        {"cron": "0 0 LW * *"},
        {"cron": "*/10 * * * * *", "jitter": timedelta(days=1)},
    ],
)
def test_a_schedule_that_can_be_followed_passes(schedule):
    timetable.check(Schedule(**schedule))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ({}, "one of at, after, every, cron, and has none. Give exactly one"),
        ({"at": NOON, "cron": "@daily"}, "this one has at and cron"),
        ({"at": NOON, "after": HOUR, "every": HOUR, "cron": ""}, "at and after and every and cron"),
        ({"at": NAIVE}, "at has no time zone"),
        ({"at": "tomorrow"}, "at is a datetime, not a value of type str. Write at=datetime("),
        ({"at": date(2026, 5, 1)}, "at is a datetime, not a value of type date"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "too near to the ends of the calendar"),
        ({"at": datetime.max.replace(tzinfo=timezone(-HOUR))}, "not within the years 1 to 9999"),
        ({"at": NOON.replace(tzinfo=tzinfo())}, "not within the years 1 to 9999"),
        ({"at": NOON, "start": NOON + HOUR}, "never fires: at,"),
        ({"at": NOON, "end": NOON - HOUR}, "never fires: at,"),
        ({"cron": "@daily", "start": NAIVE}, "start has no time zone"),
        ({"cron": "@daily", "end": NAIVE}, "end has no time zone"),
        ({"cron": "@daily", "end": 7}, "end is a datetime"),
        ({"cron": "@daily", "start": NOON, "end": NOON - HOUR}, "is before the start"),
        ({"after": -HOUR}, "after is -1:00:00, out of range. It takes 0 to 100 years"),
        ({"after": timedelta.max}, "It takes 0 to 100 years"),
        ({"after": 60}, "after is a timedelta, not a value of type int. Write after=timedelta("),
        (
            {"every": timedelta(milliseconds=999)},
            "every is 0:00:00.999000, out of range. It takes 1 second to",
        ),
        ({"every": timedelta.min}, "It takes 1 second to 10 years"),
        ({"every": timedelta(days=3654)}, "It takes 1 second to 10 years"),
        ({"every": "1h"}, "every is a timedelta"),
        ({"every": HOUR, "jitter": HOUR}, "ticks would overtake each other. Give a jitter that is shorter"),
        ({"cron": "@daily", "jitter": -HOUR}, "jitter is -1:00:00"),
        ({"cron": "@daily", "jitter": timedelta(days=1, seconds=1)}, "It takes 0 to 1 day"),
        ({"cron": "@daily", "jitter": 5}, "jitter is a timedelta"),
        ({"cron": "@daily", "jitter": None}, "jitter is a timedelta"),
        ({"cron": "@daily", "dst": "never"}, "no such rule dst. There are: skip, once, twice"),
        ({"cron": "@daily", "dst": "twize"}, "did you mean 'twice'?"),
        ({"cron": "@daily", "dst": []}, "no such rule dst"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(schedule, words):
    assert words in refused(Schedule(**schedule))


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("", "has 0 fields, not 5 or 6. Write five fields, minute hour"),
        ("daily", "has 1 field, not 5 or 6"),
        ("* * * *", "has 4 fields"),
        ("0 0 9 ? * MON 2026", "has 7 fields, not 5 or 6. Write five fields"),
        ("0 0 9 ? * MON 2026", "six, with the seconds first"),
        ("0 0 9 ? * MON 2026", "or an alias: @hourly, @daily"),
        ("@dayly", "no cron alias '@dayly'; did you mean '@daily'? There are: @hourly"),
        ("@reboot", "no cron alias '@reboot'. There are:"),
        ("@every 5m", "has 2 fields"),
        (
            "60 * * * *",
            "the minute field '60' of the cron expression '60 * * * *' cannot be read. It takes 0 to 59",
        ),
        ("*/0 * * * *", "the minute field '*/0'"),
        ("0 24 * * *", "the hour field '24'"),
        ("0 22-6 * * *", "A range goes upwards: for 22-6, write 22-23,0-6."),
        ("0 0 0 * *", "the day-of-month field '0'"),
        ("0 0 ? * 1", "Write * for any, in place of ?."),
        ("0 0 * 13 *", "the month field '13'"),
        ("0 0 * juno *", "JAN to DEC"),
        ("0 0 * * 8", "the day-of-week field '8'"),
        ("0 0 * * MON#6", "MON#2 (the second) or 5L (the last)"),
        ("60 0 9 * * *", "the second field '60'"),
        ("0 60 9 * * *", "Of six fields, the first is the second."),
        ("0 0 31 2 *", "never fires: no date matches it within 50 years"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 30 2 */2", "never fires"),
        ("0 0 */31 * MON#2", "never fires"),
        ("* * " * 300, "at most 1000 characters"),
        (b"* * * * *", "cron is an expression as text, not a value of type bytes"),
        (5, "cron is an expression as text"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said(cron, words):
    assert words in refused(Schedule(cron=cron))


@pytest.mark.parametrize(
    ("tz", "words"),
    [
        ("Europe/Berln", "there is no time zone 'Europe/Berln'. Did you mean 'Europe/Berlin'"),
        ("europe/berlin", "Did you mean 'Europe/Berlin'?"),
        ("Berlin", "Did you mean 'Europe/Berlin'"),
        ("new york", "Did you mean 'America/New_York'"),
        (" UTC ", "Did you mean 'UTC'?"),
        ("Europe", "there is no time zone 'Europe'."),
        ("", "tz is the name of a time zone, and is empty"),
        (None, "and is a value of type NoneType"),
        ("../etc/passwd", "no time zone '../etc/passwd'. Write the name of one as in the IANA database"),
        ("/usr/share/zoneinfo/UTC", "no time zone"),
        ("right/UTC", "no time zone"),
        ("Europe/\0", "no time zone"),
        ("\ud800", "no time zone"),
        ("x" * 10_000, "no time zone"),
    ],
)
@pytest.mark.parametrize("kind", [{"cron": "@daily"}, {"at": NOON}])
def test_a_zone_that_is_unknown_is_refused_with_those_near_to_it(tz, words, kind):
    assert words in refused(Schedule(tz=tz, **kind))


def test_what_is_no_schedule_is_refused():
    assert "this is no Schedule" in refused("0 9 * * *")


def refused(schedule):
    with pytest.raises(ScheduleInvalid) as caught:
        timetable.check(schedule)
    assert caught.value.code == "timer.schedule_invalid"
    return str(caught.value)
