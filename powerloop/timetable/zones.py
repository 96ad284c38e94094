"""Time zones: their names, and at which instants the clock of one shows a local time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.mending.words import clip

_SECOND: Final = timedelta(seconds=1)
_LONGEST_NAME: Final = 80
_SUGGESTIONS: Final = 3
_FORM: Final = "Write the name of one as in the IANA database: 'UTC', 'Europe/Berlin', 'America/New_York'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """When the clock of a zone shows a local time."""

    #: The first instant at which it does; if it never does, that at which it jumps over it. In UTC.
    first: datetime
    #: The second one, where the clock is set back.
    second: datetime | None = None
    #: Whether the clock jumps over it.
    is_gap: bool = False


def find_zone(name: object) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ScheduleInvalid: there is none.
    """
    if not isinstance(name, str) or not name:
        what = "empty" if isinstance(name, str) else f"a value of type {type(name).__name__}"
        raise ScheduleInvalid(f"tz is the name of a time zone, and is {what}.", hint=_FORM)
    # The names are compared, and no file is looked for: a name may be a path, or that of a folder.
    if name not in zone_names():
        near = nearest_zones(name)
        raise ScheduleInvalid(
            f"there is no time zone {clip(name, _LONGEST_NAME)!r}.",
            hint=f"Did you mean {' or '.join(map(repr, near))}?" if near else _FORM,
        )
    return ZoneInfo(name)


def nearest_zones(name: str) -> list[str]:
    """The time zones that somebody may mean who writes this: those of the city first, then similar ones."""
    asked = clip(name.strip().lower().replace(" ", "_"), _LONGEST_NAME)
    names = {zone.lower(): zone for zone in sorted(zone_names())}
    if asked in names:
        return [names[asked]]
    city = asked.rpartition("/")[2]
    near = [low for low in names if city and low.rpartition("/")[2] == city]
    near += get_close_matches(asked, names, n=_SUGGESTIONS)
    return [names[low] for low in dict.fromkeys(near)][:_SUGGESTIONS]


@cache
def zone_names() -> frozenset[str]:
    """The names of all time zones. They are read once: that takes a while."""
    return frozenset(available_timezones())


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock of a zone shows at an instant, without the zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def read_wall(wall: datetime, zone: ZoneInfo) -> Reading:
    """When the clock of a zone shows a local time, given in whole seconds and without the zone.

    Raises:
        OverflowError: the calendar has no such instant.
    """
    early = _offset(wall.replace(tzinfo=zone, fold=0))
    late = _offset(wall.replace(tzinfo=zone, fold=1))
    at = wall.replace(tzinfo=UTC)
    if early < late:
        return Reading(first=_jump(wall, zone, at - late, at - early), is_gap=True)
    return Reading(first=at - early, second=at - late if early > late else None)


def _jump(wall: datetime, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first instant at which the clock shows `wall` or more; it shows less at `before`."""
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if wall_at(middle, zone) < wall:
            before = middle
        else:
            after = middle
    return after


def _offset(moment: datetime) -> timedelta:
    offset = moment.utcoffset()
    assert offset is not None, "a zone of zoneinfo has an offset"
    return offset
