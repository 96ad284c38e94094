"""Cron expressions: how they are written, and which local times they match."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cronsim import CronSim, CronSimError

from powerloop.kernel.errors import ScheduleInvalid
from powerloop.mending.words import clip, did_you_mean

#: The longest expression, in characters: each field may list all that it takes.
MAX_LENGTH: Final = 1_000

ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: What each of six fields takes, by the name that cronsim's errors give it.
_FIELDS: Final = {
    "second": "0 to 59, as 0, 5,35 or */10",
    "minute": "0 to 59, as 0, 5,35 or */15",
    "hour": "0 to 23, as 9, 9-17 or */2",
    "day-of-month": "1 to 31, L for the last day or LW for the last from Monday to Friday, as 1, 1-7 or L",
    "month": "1 to 12 or JAN to DEC, as 2, 1-6 or */3",
    "day-of-week": "0 to 7 (both are Sunday) or SUN to SAT, as 1-5, FRI, MON#2 (the second) or 5L (the last)",
}
_DAY, _MONTH = 3, 4

_FORM: Final = (
    "Write five fields, minute hour day-of-month month day-of-week, as '0 9 * * 1-5'; or six, with the "
    f"seconds first, as '30 0 9 * * 1-5'; or an alias: {', '.join(ALIASES)}."
)

#: A range of one value with a step, as 5-5/10. cronsim takes it for 5/10, which goes on to the end.
_LONE_RANGE: Final = re.compile(r"(?<![^\s,])0*([0-9]+|[A-Z]{3})-0*\1/0*[1-9][0-9]*(?![^\s,])", re.IGNORECASE)

#: From where on a match is looked for, to know that there is one: the calendar repeats itself.
_ANY_TIME: Final = datetime.fromisoformat("2000-01-01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression that can be read, and matches something."""

    #: As cronsim is to read it.
    text: str
    #: Whether it names a time of day, so that the rule for the days on which clocks jump is asked.
    is_fixed: bool

    def walls(self, after: datetime) -> Iterator[datetime]:
        """The local times that it matches later than `after`, in order; all without a zone.

        Raises:
            OverflowError: the calendar ends.
        """
        return CronSim(self.text, after)


def read_cron(written: str) -> Cron:
    """The expression that is written so.

    Raises:
        ScheduleInvalid: it cannot be read, or no local time ever matches.
    """
    if len(written) > MAX_LENGTH:
        raise ScheduleInvalid(f"a cron expression has at most {MAX_LENGTH} characters.", hint=_FORM)
    text = _LONE_RANGE.sub(r"\1", ALIASES.get(written.strip().lower(), written))
    fields = text.split()
    if len(fields) not in (5, 6):
        raise _misshapen(written, fields)
    six = fields if len(fields) == 6 else ["0", *fields]
    try:
        first = next(CronSim(text, _ANY_TIME), None)
    except CronSimError as error:
        raise _unreadable(written, six, str(error).removeprefix("Bad ")) from error
    if first is None:
        raise _never(written)
    # cronsim and Debian ask this of five fields only; but a time of day is one with its second, too.
    is_fixed = not any(field.startswith("*") for field in six[1:3])
    return Cron(text=text, is_fixed=is_fixed)


def _misshapen(written: str, fields: list[str]) -> ScheduleInvalid:
    if len(fields) == 1 and fields[0].startswith("@"):
        near = did_you_mean(fields[0], ALIASES)
        return ScheduleInvalid(
            f"there is no cron alias {_shown(fields[0])}{f'; {near}' if near else '.'}",
            hint=f"There are: {', '.join(ALIASES)}. For another span, give every= in place of cron=.",
        )
    count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
    return ScheduleInvalid(f"the cron expression {_shown(written)} has {count}, not 5 or 6.", hint=_FORM)


def _unreadable(written: str, fields: list[str], name: str) -> ScheduleInvalid:
    if name not in _FIELDS:
        return ScheduleInvalid(f"the cron expression {_shown(written)} cannot be read: {name}.", hint=_FORM)
    place = list(_FIELDS).index(name)
    if place == _DAY and _is_read([*fields[:_MONTH], "*", *fields[_MONTH + 1 :]]):
        return _never(written)  # the day is good: cronsim knows that none of these months has it
    hints = [f"It takes {_FIELDS[name]}."]
    if "?" in fields[place]:
        hints.append("Write * for any, in place of ?.")
    elif "-" in fields[place]:
        hints.append("A range goes upwards: for 22-6, write 22-23,0-6.")
    if len(written.split()) == len(_FIELDS):
        hints.append("Of six fields, the first is the second.")
    return ScheduleInvalid(
        f"the {name} field {_shown(fields[place])} of the cron expression {_shown(written)} cannot be read.",
        hint=" ".join(hints),
    )


def _never(written: str) -> ScheduleInvalid:
    return ScheduleInvalid(
        f"the cron expression {_shown(written)} never fires: no date matches it within 50 years.",
        hint=(
            "Name days that the months have; the last day of a month is L, as in '0 0 L 2 *'. Where the "
            "day-of-month or the day-of-week begins with *, both are to match."
        ),
    )


def _is_read(fields: list[str]) -> bool:
    try:
        CronSim(" ".join(fields), _ANY_TIME)
    except CronSimError:
        return False
    return True


def _shown(text: str) -> str:
    return repr(clip(text, 80))
