"""Spans, instants and choices as commands about timers are given them, and as they are said. No I/O."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.cli.timer_words import (
    check_one_given,
    instant_given,
    local_text,
    schedule_text,
    span_given,
    span_text,
    zone_named,
)
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.timers import Schedule

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("1.5h", timedelta(minutes=90)),
        ("90", timedelta(seconds=90)),
        ("0.25", timedelta(milliseconds=250)),
        (" 10m ", timedelta(minutes=10)),
        ("0", timedelta(0)),
    ],
)
def test_a_span_is_read(text, span):
    assert span_given(text, "--every") == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "10m5h",
        "10M",
        "-5m",
        "5 m",
        "5m5m",
        "1h30",
        "m",
        ".5h",
        "1e3",
        "\N{ARABIC-INDIC DIGIT ONE}m",
        "500ms",
    ],
)
def test_what_is_no_span_is_refused_with_an_example(text):
    with pytest.raises(InvalidInput) as refused:
        span_given(text, "--every")
    assert refused.value.message.startswith(f"--every: {text!r} is no span of time")
    assert "--every 90s, 10m, 2h, 1d, 1h30m" in (refused.value.hint or "")


@pytest.mark.parametrize("text", ["9" * 15 + "d", "9" * 500])
def test_a_span_beyond_all_time_is_refused_and_not_repeated_in_full(text):
    with pytest.raises(InvalidInput) as refused:
        span_given(text, "--after")
    assert len(refused.value.message) < 150


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_525)))
def test_a_span_that_is_said_is_read_as_the_same(span):
    assert span_given(span_text(span), "--every") == span


def test_a_span_is_said_in_the_units_that_it_has():
    said = [span_text(timedelta(seconds=seconds)) for seconds in (0, 0.5, 60, 90, 5400, 86_400, 90_061)]
    assert said == ["0s", "0.5s", "1m", "1m30s", "1h30m", "1d", "1d1h1m1s"]


@pytest.mark.parametrize(
    "text",
    ["2030-01-31T09:00+01:00", "2030-01-31T08:00:00Z", "2030-01-31 08:00+00:00", "20300131T080000Z"],
)
def test_an_instant_is_read_in_utc(text):
    instant = instant_given(text, "--at")
    assert instant == datetime(2030, 1, 31, 8, tzinfo=UTC)
    assert instant.tzinfo is UTC


@pytest.mark.parametrize("text", ["2030-01-31T09:00", "2030-01-31"])
def test_an_instant_without_an_offset_is_refused(text):
    with pytest.raises(InvalidInput, match="has no offset from UTC: which instant is it") as refused:
        instant_given(text, "--at")
    assert "--at 2030-01-31T09:00+01:00" in (refused.value.hint or "")


@pytest.mark.parametrize("text", ["", "tomorrow", "2030-13-01T00:00Z", "0001-01-01T00:00+14:00"])
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(InvalidInput, match="is no instant of ISO 8601"):
        instant_given(text, "--until")


def test_options_that_are_not_given_say_nothing():
    assert (span_given(None, "--every"), instant_given(None, "--at")) == (None, None)


@pytest.mark.parametrize(("by", "until"), [(None, None), ("5m", "2030-01-31T08:00Z")])
def test_one_option_says_it_and_no_other(by, until):
    with pytest.raises(InvalidInput, match=r"say when by exactly one of --by, --until; [02] were given"):
        check_one_given("when", {"--by": by, "--until": until})
    check_one_given("when", {"--by": "5m", "--until": None})


def test_an_instant_is_said_as_the_clock_of_the_zone_shows_it():
    instant = datetime(2030, 1, 31, 8, tzinfo=UTC)
    assert local_text(instant, BERLIN) == "2030-01-31 09:00:00 CET"
    assert local_text(instant, BERLIN, with_day=True) == "Thu 2030-01-31 09:00:00 CET"
    assert local_text(instant, UTC) == "2030-01-31 08:00:00 UTC"
    assert local_text(datetime.max.replace(tzinfo=UTC), BERLIN) == "9999-12-31 23:59:59 UTC"


def test_a_zone_that_is_not_known_here_is_read_as_utc():
    assert zone_named("Europe/Berlin") == BERLIN
    assert [zone_named(name) for name in ("Mars/Olympus", "../etc/passwd", "")] == [UTC, UTC, UTC]


def test_a_schedule_is_said_in_a_few_words():
    at = datetime(2030, 1, 31, 8, tzinfo=UTC)
    assert schedule_text(Schedule(at=at, tz="Europe/Berlin")) == "at 2030-01-31 09:00:00 CET"
    assert schedule_text(Schedule(every=timedelta(minutes=90))) == "every 1h30m"
    assert schedule_text(Schedule(cron="0 9 * * *", tz="Europe/Berlin")) == "cron 0 9 * * * Europe/Berlin"
