"""What a timer is to do, checked before it is made: for producers, and for agents that make timers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from powerloop.kernel.errors import InvalidInput, ScheduleInvalid
from powerloop.kernel.ids import MAX_TIMER_ID_LENGTH
from powerloop.kernel.queues import MAX_PRIORITY
from powerloop.kernel.timer_edges import goes_on_after
from powerloop.kernel.timer_text import check_template
from powerloop.kernel.timers import MAX_INPUT_LENGTH, MAX_PAUSE_AFTER, CatchUp, Timer, TimerPlan, TimerStatus
from powerloop.timetable import CronTimetable

#: Reads every schedule.
TIMETABLE: Final = CronTimetable()

#: How far in the past an instant may lie that is meant as now.
_JUST_NOW: Final = timedelta(minutes=1)
_MAX_PREVIEW: Final = 1_000
_MAX_FIRES: Final = 10**9
_LONGEST: Final = timedelta(days=3_650)
_YEARS: Final = (1970, 3_000)


def checked_input(text: object) -> str:
    """The input of a timer, if it is one.

    Raises:
        InvalidInput: it is empty, too long, or has places that nothing is put into.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput("the input of a timer is a text that is not empty.")
    if len(text) > MAX_INPUT_LENGTH:
        raise InvalidInput(
            f"the input of a timer has {MAX_INPUT_LENGTH} characters at most, not {len(text)}.",
            hint="Put what is long where the agent can look it up.",
        )
    check_template(text)
    return text


def checked_id(timer_id: object) -> str:
    """The id of a timer, if it can be one.

    Raises:
        InvalidInput: it cannot.
    """
    if not isinstance(timer_id, str) or not 1 <= len(timer_id) <= MAX_TIMER_ID_LENGTH:
        raise InvalidInput(
            f"a timer's id is a text of 1 to {MAX_TIMER_ID_LENGTH} characters, not {timer_id!r:.60}."
        )
    return timer_id


def checked_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The metadata as a plan has it.

    Raises:
        InvalidInput: it is none.
    """
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InvalidInput(f"metadata is a mapping, not {metadata!r:.60}.")
    return dict(metadata or {})


def check_plan(plan: TimerPlan) -> None:
    """Pass a plan that means something.

    Raises:
        ScheduleInvalid: its schedule cannot be followed.
        InvalidInput: another part of it is not what it must be.
    """
    TIMETABLE.check(plan.schedule)
    for name in ("at", "end"):
        if (instant := getattr(plan.schedule, name)) is not None:
            check_instant(name, instant)
    if plan.schedule.start is not None:
        _check_year("start", plan.schedule.start)
    _check_number("max_fires", plan.max_fires, 1, _MAX_FIRES)
    _check_number("pause_after", plan.pause_after, 1, MAX_PAUSE_AFTER)
    _check_number("priority", plan.priority, 0, MAX_PRIORITY)
    if plan.catch_up_window is not None:
        _check_span("catch_up_window", plan.catch_up_window)
        if plan.catch_up is not CatchUp.ALL:
            raise InvalidInput("catch_up_window is for catch_up='all'.")


def _check_number(name: str, value: object, least: int, most: int) -> None:
    is_one = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and (not is_one or not least <= value <= most):  # type: ignore[operator] # is_one
        raise InvalidInput(f"{name} is a number from {least} to {most}, not {value!r:.60}.")


def _check_span(name: str, value: object) -> None:
    if not isinstance(value, timedelta) or not timedelta(0) < value <= _LONGEST:
        raise InvalidInput(
            f"{name} is a span of time of at most {_LONGEST.days} days, not {value!r:.60}.",
            hint="For example timedelta(minutes=10).",
        )


def check_later(by: timedelta | None, until: datetime | None) -> None:
    """Pass what a timer may be postponed by, or until.

    Raises:
        InvalidInput: neither or both are given, or it is no later time.
    """
    if (by is None) == (until is None):
        raise InvalidInput("a timer is postponed by a span or until an instant: give one of the two.")
    if by is not None:
        _check_span("by", by)
    if until is not None:
        check_instant("until", until)


def check_instant(name: str, instant: object) -> None:
    """Pass an instant that is aware, not in the past, and not too far away to be told in any zone.

    Raises:
        ScheduleInvalid: it is not.
    """
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ScheduleInvalid(f"{name}={instant} has no time zone.", hint="Give an aware datetime.")
    _check_year(name, instant)
    if instant < datetime.now(UTC) - _JUST_NOW:
        raise ScheduleInvalid(f"{name}={instant.isoformat()} lies in the past.")


def _check_year(name: str, instant: datetime) -> None:
    if not _YEARS[0] <= instant.year < _YEARS[1]:
        raise ScheduleInvalid(f"{name}={instant.isoformat()} is not from {_YEARS[0]} to {_YEARS[1] - 1}.")


def checked_count(count: int) -> int:
    """How many ticks are to be shown, if that many can be.

    Raises:
        InvalidInput: they cannot.
    """
    if not 1 <= count <= _MAX_PREVIEW:
        raise InvalidInput(f"count is a number from 1 to {_MAX_PREVIEW}, not {count!r}.")
    return count


def next_ticks(timer: Timer, count: int) -> Sequence[datetime]:
    """The next ticks of a timer, at most `count`, if nobody touches it; of one that is paused, if it is
    resumed now."""
    if timer.tick_at is None:
        return ()
    schedule, now = timer.plan.schedule, datetime.now(UTC)
    if timer.status is TimerStatus.PAUSED and schedule.recurs and timer.tick_at <= now:
        ticks = [*islice(TIMETABLE.ticks(schedule, now), count)]
    else:
        ticks = [timer.tick_at, *islice(TIMETABLE.ticks(schedule, goes_on_after(timer)), count - 1)]
    return ticks if timer.plan.max_fires is None else ticks[: max(timer.plan.max_fires - timer.fires, 0)]
