"""Spans and instants as commands about timers are given them, and as people read them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.timers import Schedule

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_SECONDS: Final = re.compile(_NUMBER)
_PARTS: Final = re.compile("".join(f"(?:(?P<{unit}>{_NUMBER}){unit})?" for unit in _UNITS))


def span_given(text: str | None, option: str) -> timedelta | None:
    """What an option was given as a span: ``90s``, ``10m``, ``2h``, ``1d``, ``1h30m``, or seconds.

    Raises:
        InvalidInput: it is none.
    """
    if text is None:
        return None
    try:
        return timedelta(seconds=_seconds(text.strip()))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{option}: {text!r:.80} is no span of time.",
            hint=f"Write {option} 90s, 10m, 2h, 1d, 1h30m, or a number of seconds.",
        ) from error


def instant_given(text: str | None, option: str) -> datetime | None:
    """What an option was given as an instant: ISO 8601, with an offset from UTC.

    Raises:
        InvalidInput: it is none, or has no offset.
    """
    if text is None:
        return None
    hint = f"Write {option} 2030-01-31T09:00+01:00, or 2030-01-31T08:00Z for UTC."
    try:
        instant = datetime.fromisoformat(text.strip())
        if instant.utcoffset() is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{option}: {text!r:.80} is no instant of ISO 8601.", hint=hint) from error
    raise InvalidInput(f"{option}: {text!r:.80} has no offset from UTC: which instant is it?", hint=hint)


def check_one_given(what: str, given: Mapping[str, object]) -> None:
    """Pass options of which exactly one is given, and says that.

    Raises:
        InvalidInput: there are none, or several.
    """
    said = [option for option, value in given.items() if value is not None]
    if len(said) != 1:
        raise InvalidInput(f"say {what} by exactly one of {', '.join(given)}; {len(said)} were given.")


def span_text(span: timedelta) -> str:
    """A span as an option takes it: ``1h30m``."""
    left, parts = span // timedelta(microseconds=1), []
    for unit, seconds in _UNITS.items():
        if unit != "s":
            count, left = divmod(left, seconds * 1_000_000)
            parts += [f"{count}{unit}"] if count else []
    if left:
        parts.append(f"{left / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts) or "0s"


def zone_named(tz: str) -> tzinfo:
    """The zone that people read times in; UTC, where this machine does not know the one of that name."""
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def in_zone(instant: datetime, zone: tzinfo) -> datetime:
    """An instant by the clock of a zone; by that of UTC, where the calendar of the zone has ended."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


def local_text(instant: datetime, zone: tzinfo, *, with_day: bool = False) -> str:
    """An instant in a zone: ``2030-01-31 09:00:00 CET``; with the day of the week, ``Thu`` before it."""
    return in_zone(instant, zone).strftime(f"{'%a ' if with_day else ''}%Y-%m-%d %H:%M:%S %Z")


def schedule_text(schedule: Schedule) -> str:
    """When a timer fires, in a few words."""
    if schedule.at is not None:
        return f"at {local_text(schedule.at, zone_named(schedule.tz))}"
    if schedule.every is not None:
        return f"every {span_text(schedule.every)}"
    return f"cron {schedule.cron} {schedule.tz}"


def _seconds(text: str) -> float:
    """How many seconds a span has.

    Raises:
        ValueError: it is none.
    """
    if _SECONDS.fullmatch(text):
        return float(text)
    parts = _PARTS.fullmatch(text)
    if parts is None or not text:
        raise ValueError(text)
    return sum(float(count) * _UNITS[unit] for unit, count in parts.groupdict().items() if count)
