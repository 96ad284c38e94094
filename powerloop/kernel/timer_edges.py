"""The edges of a timer's life, each a function from the timer as it stands to the timer as it is then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from powerloop.kernel.errors import ScheduleInvalid, TimerEnded, TimerExists
from powerloop.kernel.ids import TimerId
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.timers import DISARMED, NewTimer, Schedule, Timer, TimerStatus

_INSTANT: Final = timedelta(microseconds=1)


def new_timer(new: NewTimer, timetable: Timetable, now: datetime) -> Timer:
    """The timer, as it is made now.

    Raises:
        ScheduleInvalid: it would never fire.
    """
    plan = replace(new.plan, schedule=anchored(new.plan.schedule, now))
    timer = Timer(
        id=new.id,
        session_id=new.session_id,
        agent=new.agent,
        owner=new.owner,
        status=TimerStatus.PAUSED if new.disarmed else TimerStatus.ARMED,
        reason=DISARMED if new.disarmed else "",
        plan=plan,
        tick_at=None,
        due_at=None,
        asked_at=None,
        held_at=None,
        fires=0,
        skips=0,
        last_send_id=None,
        last_tick_at=None,
        created_at=now,
        armed_at=now,
        ended_at=None,
    )
    return _at_tick(timer, _first(plan.schedule, timetable, now))


def replanned(timer: Timer, new: NewTimer, timetable: Timetable, now: datetime) -> Timer:
    """The timer with another plan: what it has made is still counted, and what is held back still held. Where
    the schedule is the same, so is its next tick. One that somebody has paused stays so.

    Raises:
        ScheduleInvalid: it would never fire, or only at an instant at which it has fired.
        TimerEnded: somebody has cancelled it.
    """
    if timer.status is TimerStatus.CANCELLED:
        raise TimerEnded(timer.id, timer.status, "planned anew")
    limit = new.plan.max_fires
    if limit is not None and limit <= timer.fires:
        raise ScheduleInvalid(
            f"the timer {timer.id!r} has fired {timer.fires} times already, and max_fires is {limit}."
        )
    schedule = _same_schedule(timer, new)
    if schedule is not None and timer.is_live:
        return replace(timer, plan=replace(new.plan, schedule=schedule))
    made = new_timer(new, timetable, now)
    made = _at_tick(made, _not_before(made, timer.last_tick_at, timetable))
    if timer.status is TimerStatus.PAUSED:
        made = replace(made, status=TimerStatus.PAUSED, reason=timer.reason)
    return replace(
        made,
        held_at=timer.held_at,
        owner=timer.owner,
        fires=timer.fires,
        skips=timer.skips,
        last_send_id=timer.last_send_id,
        last_tick_at=timer.last_tick_at,
        created_at=timer.created_at,
    )


def _not_before(timer: Timer, fired_at: datetime | None, timetable: Timetable) -> datetime:
    """Its first tick that is later than the last one that fired."""
    assert timer.tick_at is not None, "it has just been made"
    if fired_at is None or timer.tick_at > fired_at:
        return timer.tick_at
    following = next(timetable.ticks(timer.plan.schedule, fired_at), None)
    if following is None:
        raise ScheduleInvalid(
            f"the timer {timer.id!r} has fired at {fired_at.isoformat()} already, and names no later instant."
        )
    return following


def told_again(earlier: Timer, new: NewTimer, timetable: Timetable, now: datetime) -> Timer:
    """What becomes of a timer whose id somebody schedules once more: as it is, or with the other plan.

    Raises:
        TimerExists: it does something else, and `replace` is not asked for.
        ScheduleInvalid: it would never fire.
    """
    if same_plan(earlier, new) and (earlier.is_live or not new.replace):
        return earlier
    if earlier.session_id != new.session_id:
        raise TimerExists(new.id, is_of_another=True)
    if not new.replace:
        raise TimerExists(new.id)
    return replanned(earlier, new, timetable, now)


def same_plan(timer: Timer, new: NewTimer) -> bool:
    """Whether the timer does what the new one would: told again, it is the same."""
    schedule = _same_schedule(timer, new)
    same = schedule is not None and replace(new.plan, schedule=schedule) == timer.plan
    return same and (timer.session_id, timer.agent) == (new.session_id, new.agent)


def _same_schedule(timer: Timer, new: NewTimer) -> Schedule | None:
    """The schedule of the timer, if the new one says the same, but for the instant at which it is told.

    A span from now on that is to replace another one is a new one: from now on.
    """
    schedule, asked = timer.plan.schedule, new.plan.schedule
    if asked.after is not None and not new.replace:
        asked = replace(asked, after=None, at=schedule.at)
    if asked.every is not None and asked.start is None:
        asked = replace(asked, start=schedule.start)
    return schedule if asked == schedule else None


def postponed_by(timer: Timer, by: timedelta | None, until: datetime | None, now: datetime) -> Timer:
    """The timer with its next tick due so much later than it was to, or at an instant; errors as
    `postponed`."""
    return postponed(timer, until or max(timer.due_at or now, now) + (by or timedelta(0)))


def postponed(timer: Timer, due_at: datetime) -> Timer:
    """The timer with its next tick due at another time.

    Raises:
        TimerEnded: it has no next tick.
    """
    refuse_ended(timer, "postponed")
    if timer.tick_at is None:
        raise TimerEnded(timer.id, timer.status, "postponed")
    return replace(timer, due_at=due_at, asked_at=None)


def cancelled(timer: Timer, reason: str, now: datetime) -> Timer:
    """The timer, cancelled; one that is final already stays as it is."""
    if timer.status.is_final:
        return timer
    ended = replace(timer, status=TimerStatus.CANCELLED, reason=reason, ended_at=now)
    return replace(ended, tick_at=None, due_at=None, asked_at=None, held_at=None)


def paused(timer: Timer, reason: str) -> Timer:
    """The timer, paused; one that is paused already stays as it is.

    Raises:
        TimerEnded: it fires no more.
    """
    refuse_ended(timer, "paused")
    if timer.status is TimerStatus.PAUSED:
        return timer
    return replace(timer, status=TimerStatus.PAUSED, reason=reason, asked_at=None)


def resumed(timer: Timer, timetable: Timetable, now: datetime) -> Timer:
    """The timer, armed again: at its next tick from now on; once at a time that has passed, at once.

    Raises:
        TimerEnded: it fires no more.
    """
    refuse_ended(timer, "resumed")
    if timer.status is TimerStatus.ARMED:
        return timer
    armed = replace(timer, status=TimerStatus.ARMED, reason="", armed_at=now)
    if timer.due_at is not None and (timer.due_at > now or not timer.plan.schedule.recurs):
        return replace(armed, due_at=max(timer.due_at, now))
    if timer.tick_at is None:
        return moved(armed, None, now)
    return moved(armed, next(timetable.ticks(timer.plan.schedule, now), None), now)


def due_of(timer_id: TimerId, tick_at: datetime, jitter: timedelta) -> datetime:
    """When a tick fires: up to `jitter` later, always as much for the same tick of the same timer."""
    if not jitter:
        return tick_at
    digest = sha256(f"{timer_id}\n{tick_at.astimezone(UTC).isoformat()}".encode()).digest()
    return tick_at + jitter * (int.from_bytes(digest[:6]) / 2**48)


def goes_on_after(timer: Timer) -> datetime:
    """Its tick after the next is later than this: those that a postponed tick was put behind are dropped, as
    they would all fire at once with it."""
    assert timer.tick_at is not None, "it has a next tick"
    assert timer.due_at is not None, "a tick is due at some time"
    planned = due_of(timer.id, timer.tick_at, timer.plan.schedule.jitter)
    return timer.due_at if timer.due_at > planned else timer.tick_at


def moved(timer: Timer, tick_at: datetime | None, now: datetime) -> Timer:
    """The timer at another tick; done, where there is none, and none is held back."""
    if tick_at is not None:
        return _at_tick(timer, tick_at)
    at_rest = replace(timer, tick_at=None, due_at=None, asked_at=None)
    if timer.held_at is not None:
        return at_rest
    return replace(at_rest, status=TimerStatus.DONE, reason="", ended_at=now)


def _at_tick(timer: Timer, tick_at: datetime) -> Timer:
    due_at = due_of(timer.id, tick_at, timer.plan.schedule.jitter)
    return replace(timer, tick_at=tick_at, due_at=due_at, asked_at=None)


def anchored(schedule: Schedule, now: datetime) -> Schedule:
    """The schedule with instants for what it says of the time that it was made."""
    if schedule.after is not None:
        return replace(schedule, after=None, at=now + schedule.after)
    if schedule.every is not None and schedule.start is None:
        return replace(schedule, start=now + schedule.every)
    return schedule


def _first(schedule: Schedule, timetable: Timetable, now: datetime) -> datetime:
    if schedule.at is not None:
        return schedule.at
    first = next(timetable.ticks(schedule, now - _INSTANT), None)
    if first is None:
        raise ScheduleInvalid("a timer with this schedule never fires.", hint="Look at its start and end.")
    return first


def refuse_ended(timer: Timer, what: str) -> None:
    """Pass a timer that may still fire.

    Raises:
        TimerEnded: it fires no more.
    """
    if timer.status.is_final:
        raise TimerEnded(timer.id, timer.status, what)
