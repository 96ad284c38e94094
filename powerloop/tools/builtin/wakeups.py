"""The tools by which an agent wakes its own session later."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput, SessionClosed, ToolError, WrongUse
from powerloop.kernel.ids import TimerId
from powerloop.kernel.timers import Schedule, Timer, TimerQuota, TimerStatus
from powerloop.kernel.tools import ToolContext, Wakeups
from powerloop.mending.words import clip
from powerloop.tools.builtin.wakeup_arguments import Bounds, WakeupArguments, note_of, wakeup_of
from powerloop.tools.decorator import tool
from powerloop.tools.function import FunctionTool
from powerloop.tools.spans import checked_span
from powerloop.tools.spec import make_spec
from powerloop.tools.waiting import MAX_WITHIN

_SCHEDULE: Final = (
    "Wake yourself later, in this conversation: your note is sent to you then, and you go on from there. You "
    "do not wait for it: finish what you are doing."
)
_LIST: Final = "List the wake-ups that you have scheduled in this conversation and that are yet to come."
_CANCEL: Final = "Cancel a wake-up that you have scheduled in this conversation."

_MAX_PER_SESSION: Final = 1_000
#: Of a note that is listed, in characters.
_SHOWN: Final = 200
#: Ticks that a model is told when it has scheduled something.
_TOLD: Final = 3

WakeupId = Annotated[str, Field(min_length=1, max_length=120, description="Its id.")]
Told = FunctionTool[..., Awaitable[str]]


def schedule_wakeup(
    *,
    shortest: timedelta = timedelta(seconds=5),
    longest: timedelta = timedelta(days=30),
    per_session: int = 10,
    per_agent: int | None = None,
    recurring: bool = True,
    name: str = "schedule_wakeup",
) -> Told:
    """A tool by which an agent wakes its own session later: ``tools=[schedule_wakeup()]``.

    The model leaves a ``note``, and says when: ``after_seconds``, ``at`` (an instant), ``every_seconds`` or
    ``cron``, with ``tz``; ``max_times`` ends what recurs. Then the note is a send to its session. Such a
    timer is like any other (`AsyncPowerLoop.list_timers`): it survives restarts, and is cancelled when its
    session is closed. A recurring one is paused once five of its sends in a row have failed, and keeps one of
    its ticks back, no more, while the send of the one before has not ended.

    Args:
        shortest: How soon it may be at the earliest, and how near to each other the ticks of a recurring one
            may be. A sooner one is refused.
        longest: How late the first time may be. A later one is refused.
        per_session: How many live wake-ups a session may have that its agent has made, 1 to 1000.
        per_agent: How many all sessions of the agent may have together; `None`: any number.
        recurring: Whether there are ``every_seconds``, ``cron`` and ``max_times``.
        name: What the model calls it.

    Raises:
        InvalidInput: a bound is no span of time, or longer than ten years; nothing is between the two; or a
            number is not one of wake-ups.
    """
    bounds = Bounds(
        shortest=_bound(shortest, "shortest", name),
        longest=_bound(longest, "longest", name),
        recurring=recurring,
    )
    if bounds.shortest > bounds.longest:
        raise InvalidInput(f"tool {name}: shortest={shortest!r} is longer than longest={longest!r}.")
    quota = TimerQuota(
        per_session=_count(per_session, "per_session", name, _MAX_PER_SESSION),
        per_agent=None if per_agent is None else _count(per_agent, "per_agent", name),
    )
    arguments = WakeupArguments(bounds, name)

    async def schedule(context: ToolContext[Any], asked: Mapping[str, Any]) -> str:
        wakeups, new = _wakeups(context), wakeup_of(asked, context, quota)
        try:
            timer = await wakeups.schedule(new, shortest=bounds.shortest, longest=bounds.longest)
            return _scheduled(timer, wakeups.upcoming(timer, _TOLD))
        except WrongUse as refused:
            raise _mendable(refused) from refused

    spec = make_spec(
        name,
        _SCHEDULE,
        arguments.schema,
        # The id of the timer is made of those of the call.
        effect=Effect.IDEMPOTENT,
        concurrent=None,
        timeout=None,
        approval=None,
    )
    return FunctionTool(schedule, spec, arguments, takes_context=True, blocking=False)


def list_wakeups(*, name: str = "list_wakeups") -> Told:
    """A tool by which an agent lists the wake-ups of its session that it has made: the soonest first.

    Args:
        name: What the model calls it.
    """

    @tool(name=name, description=_LIST, effect=Effect.READ)
    async def listed(context: ToolContext[Any]) -> str:
        timers = await _wakeups(context).list(context.session_id)
        return "\n".join(map(_line, timers)) or "None."

    return listed


def cancel_wakeup(*, name: str = "cancel_wakeup") -> Told:
    """A tool by which an agent cancels a wake-up of its session that it has made, and no other timer.

    Args:
        name: What the model calls it.
    """

    @tool(name=name, description=_CANCEL, effect=Effect.IDEMPOTENT)
    async def cancel(context: ToolContext[Any], wakeup_id: WakeupId) -> str:
        timer = await _wakeups(context).cancel(context.session_id, TimerId(wakeup_id))
        if timer is None:
            raise ToolError(
                f"you have scheduled no wake-up {wakeup_id!r} in this conversation.",
                hint="Give the id that you were told when you scheduled it.",
            )
        if timer.status is TimerStatus.DONE:
            raise ToolError(f"the wake-up {timer.id} has come already: there is nothing to cancel.")
        return f"The wake-up {timer.id} is cancelled."

    return cancel


def _bound(value: timedelta, option: str, name: str) -> timedelta:
    span = checked_span(value, option, name)
    if span is None or span > MAX_WITHIN:
        raise InvalidInput(f"tool {name}: {option}={value!r} is not a span of up to {MAX_WITHIN.days} days.")
    return span


def _count(value: object, option: str, name: str, most: int | None = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= (most or value):
        return value
    up_to = "" if most is None else f" to {most}"
    raise InvalidInput(f"tool {name}: {option}={value!r} is not a number from 1{up_to}.")


def _wakeups(context: ToolContext[Any]) -> Wakeups:
    if context.wakeups is None:
        raise ToolError("there are no wake-ups here.", hint="Go on without them.")
    return context.wakeups


def _mendable(refused: WrongUse) -> ToolError:
    if isinstance(refused, SessionClosed):
        return ToolError("this conversation is closed: nothing can wake you in it any more.")
    return ToolError(refused.message, hint=refused.hint)


def _scheduled(timer: Timer, ticks: Sequence[datetime]) -> str:
    schedule = timer.plan.schedule
    if not ticks:
        # The call runs again, after a crash, and so long after.
        return f"The wake-up {timer.id} was scheduled, and is {timer.status} by now."
    first, *following = (_moment(tick, schedule.tz) for tick in ticks)
    then = f", then at {' and at '.join(following)}" if following else ""
    return f"The wake-up {timer.id} is scheduled. It wakes you at {first}{then}{_times(timer)}."


def _times(timer: Timer) -> str:
    if not timer.plan.schedule.recurs:
        return ""
    if (times := timer.plan.max_fires) is None:
        return ", until it is cancelled"
    return f", {times} time{'' if times == 1 else 's'} in all"


def _line(timer: Timer) -> str:
    """A wake-up as it is listed."""
    schedule = timer.plan.schedule
    if timer.status is TimerStatus.PAUSED:
        when = f"paused ({timer.reason})" if timer.reason else "paused"
    elif timer.due_at is None:
        when = "as soon as you have answered the one before"
    else:
        when = _moment(timer.due_at, schedule.tz)
    note = clip(" ".join(note_of(timer.plan).split()), _SHOWN)
    return f"{timer.id}: {when}; {_recurrence(schedule)}{_times(timer)}; note: {note}"


def _recurrence(schedule: Schedule) -> str:
    if schedule.cron is not None:
        return f"by the cron expression {schedule.cron} in {schedule.tz}"
    if schedule.every is not None:
        return f"every {schedule.every.total_seconds():.10g} seconds"
    return "once"


def _moment(instant: datetime, tz: str) -> str:
    """An instant in its zone and, where that is another one, in UTC."""
    local, utc = (
        instant.astimezone(zone).isoformat(timespec="seconds") for zone in (ZoneInfo(tz), ZoneInfo("UTC"))
    )
    return local if tz == "UTC" else f"{local} ({utc})"
