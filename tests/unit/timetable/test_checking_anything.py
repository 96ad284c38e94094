"""Whatever is given as a schedule, it is refused as such, or can be followed."""

from dataclasses import replace
from datetime import UTC, timedelta, timezone
from itertools import islice, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import DstRule, Schedule
from powerloop.timetable import CronTimetable

HOUR = timedelta(hours=1)

instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(14 * HOUR), timezone(-12 * HOUR)]))
spans = st.timedeltas(timedelta(0), timedelta(days=4000)) | st.timedeltas()
fields = st.text("0123456789*/-,#?LW", max_size=5) | st.sampled_from(
    ["*", "*/5", "0", "1-5", "MON#2", "L", "29"]
)
crons = st.lists(fields, min_size=4, max_size=7).map(" ".join) | st.sampled_from(["@daily", "0 0 29 2 *"])
garbage = st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.lists(st.integers()), st.datetimes())


def schedules(others):
    """Schedules of one kind mostly, of which anything may be wrong that `others` has."""
    kinds = {
        "at": instants | others,
        "after": spans | others,
        "every": spans | others,
        "cron": crons | others,
    }
    bounds = {
        "tz": st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]) | others,
        "dst": st.sampled_from(DstRule) | others,
        "start": instants | others,
        "end": instants | others,
        "jitter": spans | others,
    }
    one = [st.fixed_dictionaries({kind: value}, optional=bounds) for kind, value in kinds.items()]
    several = st.fixed_dictionaries({}, optional=kinds | bounds)
    return st.one_of(*one, several).map(lambda given: Schedule(**given))


def passes(schedule):
    try:
        CronTimetable().check(schedule)
    except ScheduleInvalid:
        return False
    return True


@settings(max_examples=700, deadline=None)
@given(schedules(garbage))
def test_nothing_but_a_refusal_leaves_the_check(schedule):
    passes(schedule)


@settings(max_examples=400, deadline=None)
@given(st.text())
def test_any_text_is_an_expression_or_a_zone_or_is_refused(text):
    passes(Schedule(cron=text))
    passes(Schedule(cron="@daily", tz=text))


@settings(max_examples=700, deadline=None)
@given(schedules(st.nothing()), st.datetimes(timezones=st.just(UTC)))
def test_what_passes_has_ticks_or_ends(schedule, now):
    if not passes(schedule) or schedule.after is not None:
        return
    if schedule.every is not None and schedule.start is None:
        schedule = replace(schedule, start=now)
    found = list(islice(CronTimetable().ticks(schedule, now), 5))

    assert all(tick > now for tick in found)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(schedule.start is None or tick >= schedule.start for tick in found)
    assert all(schedule.end is None or tick <= schedule.end for tick in found)
