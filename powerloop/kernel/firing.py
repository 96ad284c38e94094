"""Firing: what becomes of a timer when a tick of it is due, as functions without I/O.

A store loads a timer and a few facts under the lock of its row, asks `step`, and writes what that says: the
timer as it is then, what became of the tick, and the send that it makes. So every store does the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from powerloop.kernel.hooks.decisions import CancelTimer, Postpone, Veto
from powerloop.kernel.hooks.timers import Fire, TimerAnswer
from powerloop.kernel.ids import SendId, SessionId, TimerId
from powerloop.kernel.jsontypes import JSON
from powerloop.kernel.messages import Block, TextBlock
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.timetable import Due, Timetable
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import Session
from powerloop.kernel.timer_edges import cancelled, goes_on_after, moved, paused, postponed, refuse_ended
from powerloop.kernel.timer_text import render
from powerloop.kernel.timers import (
    SESSION_CLOSED,
    Firing,
    FiringOutcome,
    Overlap,
    Timer,
    TimerPlan,
    TimerStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is to be known beside the timer itself."""

    #: Whether its session is closed, or gone.
    is_closed: bool = False
    #: Whether the last send that it made has not ended.
    is_open: bool = False
    #: How many of its sends have failed in a row, since it was armed: counted up to `pause_after`.
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A send that a timer makes."""

    content: tuple[Block, ...]
    policy: Policy
    #: The same for the same tick: nothing makes a second send of it.
    key: str
    priority: int
    #: What the send is found by.
    metadata: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of a timer."""

    #: As it is then.
    timer: Timer
    #: What became of its ticks.
    firings: tuple[Firing, ...] = ()
    #: The send that it makes.
    order: Order | None = None
    #: The send that is asked to end.
    ends: SendId | None = None


def judge(
    timer: Timer, timetable: Timetable, facts: Facts, now: datetime, back_at: datetime, *, asks: bool
) -> Step:
    """What becomes of an armed timer that is due. One whose schedule cannot be followed is paused.

    Args:
        timer: As it stands.
        timetable: Reads its schedule.
        facts: What else there is to know.
        now: The present.
        back_at: As `Timetable.due` has it.
        asks: Whether hooks of its agent are to be asked.
    """
    try:
        due = timetable.due(timer, now, back_at)
        return (
            ask(timer, due, now)
            if asks and due.ticks and not facts.is_closed
            else step(timer, due, facts, now)
        )
    except Exception as error:  # noqa: BLE001 - it must not stand in the way of others that are due
        # A zone that the data of this machine do not have, for one.
        return unfollowable(timer, error)


def step(timer: Timer, due: Due, facts: Facts, now: datetime, content: tuple[Block, ...] = ()) -> Step:
    """What becomes of an armed timer of which something is due: of the first tick of `due`, and no other.

    Args:
        timer: As it stands.
        due: Its ticks.
        facts: What else there is to know.
        now: The present.
        content: What the send says, if hooks have changed that.
    """
    if facts.is_closed:
        return Step(timer=cancelled(timer, SESSION_CLOSED, now))
    missed = _missed(timer, due, now)
    if not due.ticks:
        return Step(timer=moved(timer, due.next_at, now), firings=missed)
    limit = timer.plan.pause_after
    if limit is not None and facts.failures >= limit:
        return Step(timer=paused(timer, f"{limit} of its sends in a row have failed"))
    stepped = _tick(timer, due, facts, now, content)
    return replace(stepped, firings=(*missed, *stepped.firings))


def asked_agent(timer: Timer, session: Session | None) -> str:
    """Whose hooks are asked: of a sub-agent that differs from one that workers know, those of that one."""
    spec = session.origin.spec if session and session.origin else None
    return str((spec or {}).get("base", timer.agent))


def ask(timer: Timer, due: Due, now: datetime) -> Step:
    """What becomes of a timer whose hooks are to be asked about the first tick of `due`."""
    asked = replace(timer, tick_at=due.ticks[0], asked_at=now)
    return Step(timer=asked, firings=_missed(timer, due, now))


def _missed(timer: Timer, due: Due, now: datetime) -> tuple[Firing, ...]:
    return (_record(timer, due.missed_at, FiringOutcome.MISSED, now),) if due.missed_at else ()


def _tick(timer: Timer, due: Due, facts: Facts, now: datetime, content: tuple[Block, ...]) -> Step:
    tick_at, following = due.ticks[0], due.after_first
    overlap, is_held = timer.plan.overlap, timer.held_at is not None
    if facts.is_open or is_held:
        match overlap:
            case Overlap.SKIP:
                return _skipped(timer, due, now, "the send before it has not ended")
            case Overlap.BUFFER_ONE if is_held:
                return _skipped(timer, due, now, "another tick is held back already")
            case Overlap.BUFFER_ONE:
                held = moved(replace(timer, held_at=tick_at), following, now)
                return Step(timer=held, firings=(_record(timer, tick_at, FiringOutcome.HELD, now),))
            case Overlap.ENQUEUE | Overlap.STEER | Overlap.CANCEL_OTHER:
                pass
            case unreachable:
                assert_never(unreachable)
    ends = timer.last_send_id if facts.is_open and overlap is Overlap.CANCEL_OTHER else None
    return replace(_fired(timer, tick_at, following, now, content), ends=ends)


def stands_as_asked(timer: Timer, asked: Timer) -> bool:
    """Whether hooks that were asked about the one have answered about the other."""
    same = (timer.tick_at, timer.plan) == (asked.tick_at, asked.plan)
    return same and timer.status is TimerStatus.ARMED and timer.asked_at is not None


def settle(timer: Timer, answer: TimerAnswer, timetable: Timetable, facts: Facts, now: datetime) -> Step:
    """What becomes of a timer whose hooks have answered about the tick that it stands at."""
    assert timer.tick_at is not None, "hooks are asked about a tick"
    following = next(timetable.ticks(timer.plan.schedule, goes_on_after(timer)), None)
    due = Due(ticks=(timer.tick_at,), missed_at=None, next_at=following)
    match answer:
        case Fire(content=content):
            return step(timer, due, facts, now, content)
        case Veto(reason=reason):
            return _let_go(timer, due, now, FiringOutcome.VETOED, reason)
        case Postpone(by=by):
            return Step(timer=postponed(timer, now + by))
        case CancelTimer(reason=reason):
            return Step(timer=cancelled(timer, reason or "a hook said so", now))
        case unreachable:
            assert_never(unreachable)


def release(timer: Timer, now: datetime) -> Step:
    """What becomes of a timer whose held tick is held back no longer."""
    assert timer.held_at is not None, "no tick is held back"
    try:
        return _beside(timer, _fired(replace(timer, held_at=None), timer.held_at, timer.tick_at, now))
    except Exception as error:  # noqa: BLE001 - as in `judge`
        return unfollowable(timer, error)


def trigger(timer: Timer, now: datetime) -> Step:
    """What becomes of a timer that fires now, beside its schedule.

    Raises:
        TimerEnded: it fires no more.
    """
    refuse_ended(timer, "triggered")
    stepped = _beside(timer, _fired(timer, now, timer.tick_at, now))
    assert stepped.order is not None, "it fires"
    return replace(stepped, order=replace(stepped.order, policy=Policy.ENQUEUE))


def _beside(timer: Timer, stepped: Step) -> Step:
    """The step, with the next tick due as it was: it fired beside it."""
    if not stepped.timer.is_live:
        return stepped
    kept = replace(stepped.timer, tick_at=timer.tick_at, due_at=timer.due_at, asked_at=timer.asked_at)
    return replace(stepped, timer=kept)


def unfollowable(timer: Timer, error: Exception) -> Step:
    """What becomes of a timer that cannot fire: it is paused, so that it stands in nobody's way."""
    return Step(timer=paused(timer, f"its schedule cannot be followed: {error}"))


def _skipped(timer: Timer, due: Due, now: datetime, why: str) -> Step:
    return _let_go(timer, due, now, FiringOutcome.SKIPPED, why)


def _let_go(timer: Timer, due: Due, now: datetime, outcome: FiringOutcome, why: str) -> Step:
    """The first tick of `due` makes no send."""
    after = moved(replace(timer, skips=timer.skips + 1), due.after_first, now)
    return Step(timer=after, firings=(_record(timer, due.ticks[0], outcome, now, detail=why),))


def _fired(
    timer: Timer,
    tick_at: datetime,
    following: datetime | None,
    now: datetime,
    content: tuple[Block, ...] = (),
) -> Step:
    """The tick makes a send, whose id is whoever writes it to say: `made_by`."""
    plan, number = timer.plan, timer.fires + 1
    text = render(plan.input, timer.id, tick_at, number, plan.schedule.tz)
    order = Order(
        content=content or (TextBlock(text=text),),
        policy=Policy.STEER if plan.overlap is Overlap.STEER else Policy.ENQUEUE,
        key=f"timer:{timer.id}:{tick_at.astimezone(UTC).isoformat()}",
        priority=plan.priority,
        metadata=_metadata(plan, timer.id, tick_at, number),
    )
    is_last = plan.max_fires is not None and number >= plan.max_fires
    fired = replace(timer, fires=number, last_tick_at=tick_at, held_at=None if is_last else timer.held_at)
    record = _record(timer, tick_at, FiringOutcome.FIRED, now, number=number)
    return Step(timer=moved(fired, None if is_last else following, now), firings=(record,), order=order)


def ordered(order: Order, session_id: SessionId, send_id: SendId) -> NewSend:
    """The send that the order is for, in that session."""
    return NewSend(
        id=send_id,
        session_id=session_id,
        content=order.content,
        policy=order.policy,
        idempotency_key=order.key,
        priority=order.priority,
        metadata=dict(order.metadata),
    )


def made_by(stepped: Step, send_id: SendId) -> Step:
    """The step, once the send that it orders has this id."""
    fired = (
        replace(one, send_id=send_id) if one.outcome is FiringOutcome.FIRED else one
        for one in stepped.firings
    )
    return replace(stepped, timer=replace(stepped.timer, last_send_id=send_id), firings=tuple(fired))


def _metadata(plan: TimerPlan, timer_id: TimerId, tick_at: datetime, number: int) -> dict[str, JSON]:
    due = tick_at.astimezone(UTC).isoformat()
    return {**plan.metadata, "timer_id": timer_id, "timer_due_at": due, "timer_tick": number}


def _record(
    timer: Timer,
    tick_at: datetime,
    outcome: FiringOutcome,
    now: datetime,
    *,
    number: int = 0,
    detail: str = "",
) -> Firing:
    return Firing(
        timer_id=timer.id,
        tick_at=tick_at,
        outcome=outcome,
        number=number,
        send_id=None,
        detail=detail,
        at=now,
    )
