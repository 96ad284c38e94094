"""What a model gives to be woken later: the schema of it, its checks, and the timer that it comes to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from powerloop.kernel.errors import ToolArgumentsInvalid
from powerloop.kernel.ids import TimerId
from powerloop.kernel.timer_text import escaped, unescaped
from powerloop.kernel.timers import NewTimer, Overlap, Schedule, TimerOwner, TimerPlan, TimerQuota
from powerloop.kernel.tools import ToolContext
from powerloop.mending.words import Problem, explain, given
from powerloop.tools.arguments import Bound, without_nulls
from powerloop.tools.schema_arguments import SchemaArguments

#: What the model is told before its note.
_PREFIX: Final = "[wake-up {{timer_id}}, due {{due_at}}] "

#: Of the ids of timers: the same call always makes the same one.
_NAMESPACE: Final = UUID("2881ab6b-5437-418e-8f4e-31fea6bf1984")

#: A recurring wake-up is paused once so many of its sends in a row have failed.
_PAUSE_AFTER: Final = 5
#: No timer recurs more often.
_CLOSEST: Final = timedelta(seconds=1)

_NOTE: Final[Mapping[str, Any]] = {
    "type": "string",
    "minLength": 1,
    # With all its braces escaped, it is half of what the input of a timer may be.
    "maxLength": 10_000,
    "description": "What you will be told then: what is to be done, and what you need to know for it.",
}
_AT: Final[Mapping[str, Any]] = {
    "type": "string",
    "description": "Once, at this instant: ISO 8601 with its offset, such as 2026-03-01T09:00:00+01:00.",
}
_TZ: Final[Mapping[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "description": "The IANA time zone that times are told in, such as Europe/Berlin. By default UTC.",
}
_CRON: Final[Mapping[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "description": "Again and again, by a cron expression of five fields, read in tz, such as 0 9 * * 1-5.",
}
_MAX_TIMES: Final[Mapping[str, Any]] = {
    "type": "integer",
    "minimum": 1,
    "maximum": 1_000_000,
    "description": "Of every_seconds and cron: after so many times it ends. By default it goes on.",
}
_ONCE: Final = ("after_seconds", "at")
_AGAIN: Final = ("every_seconds", "cron")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a model may ask for."""

    shortest: timedelta
    longest: timedelta
    recurring: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The arguments of which there is to be one."""
        return (*_ONCE, *_AGAIN) if self.recurring else _ONCE


class WakeupArguments(SchemaArguments):
    """Checks also that it is said when, once, and that the rest of it goes with that."""

    def __init__(self, bounds: Bounds, label: str) -> None:
        super().__init__(_schema(bounds), label)
        self._bounds = bounds

    def check(self, given: Mapping[str, Any]) -> Bound:
        bound = super().check(without_nulls(given))
        if problems := list(_problems(bound.args[0], self._bounds.kinds)):
            raise ToolArgumentsInvalid(explain(problems, self.schema))
        return bound


def wakeup_of(asked: Mapping[str, Any], context: ToolContext[Any], quota: TimerQuota) -> NewTimer:
    """The timer that was asked for. Its arguments were checked."""
    schedule = Schedule(
        at=_instant(asked["at"]) if "at" in asked else None,
        after=_span(asked.get("after_seconds")),
        every=_span(asked.get("every_seconds")),
        cron=asked.get("cron"),
        tz=asked.get("tz", "UTC"),
    )
    times = asked.get("max_times")
    plan = TimerPlan(
        schedule=schedule,
        input=_PREFIX + escaped(asked["note"]),
        # A session that waits for a person shall not find a hundred of them when it goes on.
        overlap=Overlap.BUFFER_ONE if schedule.recurs else Overlap.ENQUEUE,
        max_fires=None if times is None else int(times),
        pause_after=_PAUSE_AFTER if schedule.recurs else None,
    )
    return NewTimer(
        id=TimerId(str(uuid5(_NAMESPACE, f"{context.send_id}:{context.call_id}"))),
        session_id=context.session_id,
        agent=context.agent,
        plan=plan,
        owner=TimerOwner.AGENT,
        quota=quota,
    )


def note_of(plan: TimerPlan) -> str:
    """The note that its model has left."""
    return unescaped(plan.input.removeprefix(_PREFIX))


def _schema(bounds: Bounds) -> dict[str, Any]:
    properties = {
        "note": _NOTE,
        "after_seconds": _seconds("Once, so many seconds from now.", bounds.shortest, bounds.longest),
        "at": _AT,
        "tz": _TZ,
    }
    if bounds.recurring:
        shortest = max(bounds.shortest, _CLOSEST)
        told = "Again and again, every so many seconds: first so many from now."
        properties["every_seconds"] = _seconds(told, shortest, bounds.longest)
        properties |= {"cron": _CRON, "max_times": _MAX_TIMES}
    return {
        "type": "object",
        "properties": properties,
        "required": ["note"],
        "additionalProperties": False,
    }


def _seconds(told: str, shortest: timedelta, longest: timedelta) -> dict[str, Any]:
    return {
        "type": "number",
        "minimum": shortest.total_seconds(),
        "maximum": longest.total_seconds(),
        "description": told,
    }


def _problems(asked: Mapping[str, Any], kinds: tuple[str, ...]) -> Iterator[Problem]:
    """What the schema of the arguments cannot tell."""
    if not asked["note"].strip():
        yield Problem(("note",), "should say what you are to be told then")
    said = [kind for kind in kinds if kind in asked]
    if len(said) != 1:
        instead = f", not {' and '.join(said)}" if said else ""
        yield Problem((), f"should say when, by exactly one of {', '.join(kinds)}{instead}")
    for kind in said:
        if asked[kind] != asked[kind]:  # JSON Schema takes it for a number that is within any bounds
            yield Problem((kind,), "should be a number, not NaN")
    if "max_times" in asked and not set(said) & set(_AGAIN):
        yield Problem(("max_times",), f"goes with {' or '.join(_AGAIN)} only: all else is once anyway")
    if "at" in asked and _instant(asked["at"]) is None:
        example = "2026-03-01T09:00:00+01:00"
        yield Problem(
            ("at",),
            f"should be an instant of ISO 8601 with its offset from UTC, such as {example}, "
            f"not {given(asked['at'])}",
        )


def _instant(text: str) -> datetime | None:
    """The instant that is written so, in UTC; `None`: it is none, or it is not said in which offset."""
    try:
        instant = datetime.fromisoformat(text)
        return None if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
