"""What a timer is to do, checked before it is made: for producers, and for agents that make timers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from powerloop.kernel.errors import InvalidInput, ScheduleInvalid
from powerloop.kernel.queues import MAX_PRIORITY
from powerloop.kernel.timer_text import check_template
from powerloop.kernel.timers import MAX_INPUT_LENGTH, CatchUp, Timer, TimerPlan
from powerloop.timetable import CronTimetable

#: Reads every schedule.
TIMETABLE: Final = CronTimetable()

#: How far in the past an instant may lie that is meant as now.
_JUST_NOW: Final = timedelta(minutes=1)
_MAX_PREVIEW: Final = 1_000


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
    for name in ("max_fires", "pause_after"):
        count = getattr(plan, name)
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise InvalidInput(f"{name} is a number from 1, not {count!r}.")
    window = plan.catch_up_window
    if window is not None and window <= timedelta(0):
        raise InvalidInput(f"catch_up_window is a span of time, not {window!r}.")
    if window is not None and plan.catch_up is not CatchUp.ALL:
        raise InvalidInput("catch_up_window is for catch_up='all'.")
    if not 0 <= plan.priority <= MAX_PRIORITY:
        raise InvalidInput(f"priority is a number from 0 to {MAX_PRIORITY}, not {plan.priority!r}.")


def check_later(by: timedelta | None, until: datetime | None) -> None:
    """Pass what a timer may be postponed by, or until.

    Raises:
        InvalidInput: neither or both are given, or it is no later time.
    """
    if (by is None) == (until is None):
        raise InvalidInput("a timer is postponed by a span or until an instant: give one of the two.")
    if by is not None and by <= timedelta(0):
        raise InvalidInput("a timer is postponed by more than nothing.", hint="To fire it now, trigger it.")
    if until is not None:
        check_instant("until", until)


def check_instant(name: str, instant: datetime) -> None:
    """Pass an instant that is aware and not in the past.

    Raises:
        ScheduleInvalid: it is not.
    """
    if instant.tzinfo is None:
        raise ScheduleInvalid(f"{name}={instant} has no time zone.", hint="Give an aware datetime.")
    if instant < datetime.now(UTC) - _JUST_NOW:
        raise ScheduleInvalid(f"{name}={instant.isoformat()} lies in the past.")


def checked_count(count: int) -> int:
    """How many ticks are to be shown, if that many can be.

    Raises:
        InvalidInput: they cannot.
    """
    if not 1 <= count <= _MAX_PREVIEW:
        raise InvalidInput(f"count is a number from 1 to {_MAX_PREVIEW}, not {count!r}.")
    return count


def next_ticks(timer: Timer, count: int) -> Sequence[datetime]:
    """The next ticks of a timer, at most `count`, if nobody touches it."""
    if timer.tick_at is None:
        return ()
    following = TIMETABLE.ticks(timer.plan.schedule, timer.tick_at)
    ticks = [timer.tick_at, *islice(following, count - 1)]
    return ticks if timer.plan.max_fires is None else ticks[: max(timer.plan.max_fires - timer.fires, 0)]
