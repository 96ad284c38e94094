"""Firing timers, on any database: what is due is locked, judged by the kernel, and written at once for all.

A beat locks a timer with its session, and passes over those that somebody has locked. So it waits for nobody
while it holds hundreds of them, and of any number of beats each tick is fired by one.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, true

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.firing import Facts, asked_agent, judge, made_by, release
from powerloop.kernel.firing import settle as settled
from powerloop.kernel.firing import trigger as triggered
from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SendId, TimerId
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import Session, SessionStatus
from powerloop.kernel.timers import A_WHILE, ASKED_AGAIN, ASKED_LONG, EVER, Timer, TimerStatus
from powerloop.store.beats import BEATS
from powerloop.store.columns import now
from powerloop.store.database import Row, Run
from powerloop.store.lateness import ago
from powerloop.store.rows import session_of
from powerloop.store.schema import agents, beats, sends, sessions, timer_firings, timers, tool_calls
from powerloop.store.timer_rows import readable_timer
from powerloop.store.timer_writing import Made, write_steps

#: A timer and its session; `None`: each tick has a fresh one.
Pair: TypeAlias = tuple[Timer, Session | None]


class Present(NamedTuple):
    """The present, by the database's clock."""

    at: datetime
    #: When beats came back the last time that all were away.
    back_at: datetime


# As the conditions of the partial indexes say it.
_ARMED: Final = timers.c.status == literal(TimerStatus.ARMED.value, literal_execute=True)
_UNASKED: Final = or_(
    timers.c.asked_at.is_(None),
    and_(timers.c.asked_at < ago(ASKED_AGAIN), timers.c.due_at > ago(A_WHILE)),
    timers.c.asked_at < ago(ASKED_LONG),
)
_DUE: Final = and_(_ARMED, timers.c.due_at.is_not(None), timers.c.due_at <= ago(timedelta(0)), _UNASKED)
_LAST_IS_OPEN: Final = (
    select(sends.c.id)
    .where(sends.c.id == timers.c.last_send_id, sends.c.ended_at.is_(None))
    .correlate(timers)
    .exists()
)
_RELEASED: Final = and_(_ARMED, timers.c.held_at.is_not(None), ~_LAST_IS_OPEN)
_NAMES: Final = [(column.name, f"of_session_{column.name}") for column in sessions.c]
_SESSION: Final = [sessions.c[name].label(label) for name, label in _NAMES]
_ASLEEP: Final = and_(
    tool_calls.c.status == literal(CallStatus.WAITING.value, literal_execute=True),
    tool_calls.c.wakes_at.is_not(None),
)


async def fire_due(run: Run, timetable: Timetable, limit: int, only: Collection[str] | None) -> Fired:
    """As `Timers.fire`."""
    theirs = true() if only is None else timers.c.agent.in_(only)
    due = await _locked(run, and_(_DUE, theirs), timers.c.due_at, limit)
    held = await _locked(run, and_(_RELEASED, theirs), timers.c.held_at, limit)
    is_full = max(len(due), len(held)) >= limit
    present = await _present(run)
    at = present.at
    fired = Fired()
    if due or held:
        passing(CrashPoint.BEFORE_FIRE)
        made = await _judged(run, due, held, timetable, present)
        written = await write_steps(run, made, at)
        asked = tuple(one.stepped.timer for one in made if one.stepped.timer.asked_at == at)
        fired = Fired(ready=written.ready, ended=written.ended, asked=asked, count=len(written.made))
        passing(CrashPoint.DURING_FIRE)
    return await _looking_ahead(run, fired, theirs, is_full=is_full)


async def trigger(run: Run, timer: Timer, session: Session | None) -> tuple[Timer, Send, bool]:
    """Fire the timer beside its schedule; both rows are locked. Errors as `Timers.trigger`."""
    at = (await _present(run)).at
    stepped = triggered(timer, at)
    written = await write_steps(run, [Made(timer, stepped, session)], at)
    [send] = written.made
    return made_by(stepped, send.id).timer, send, bool(written.ready)


async def settle(
    run: Run, timer: Timer, session: Session | None, answer: TimerAnswer, timetable: Timetable
) -> Fired:
    """Do with the tick that hooks were asked about what they have made of it; both rows are locked."""
    at = (await _present(run)).at
    facts = await _facts(run, [(timer, session)])
    stepped = settled(timer, answer, timetable, facts[timer.id], at)
    written = await write_steps(run, [Made(timer, stepped, session)], at)
    return Fired(ready=written.ready, ended=written.ended, count=len(written.made))


async def _locked(
    run: Run, condition: ColumnElement[bool], order: ColumnElement[Any], limit: int
) -> list[Pair]:
    """The timers of which that is so, each with its session, both locked; those first that come first."""
    with_session = select(timers, *_SESSION).join(sessions, sessions.c.id == timers.c.session_id)
    found = with_session.where(condition).order_by(order).limit(limit)
    rows = await run(found.with_for_update(of=(timers, sessions), key_share=True, skip_locked=True))
    pairs: list[tuple[Timer | None, Session | None]] = [
        (readable_timer(row), _session_of(row)) for row in rows
    ]
    fresh = select(timers).where(condition, timers.c.session_id.is_(None)).order_by(order).limit(limit)
    rows = await run(fresh.with_for_update(of=timers, key_share=True, skip_locked=True))
    pairs += [(readable_timer(row), None) for row in rows]
    return [(timer, session) for timer, session in pairs if timer is not None]


async def _judged(
    run: Run, due: Sequence[Pair], held: Sequence[Pair], timetable: Timetable, present: Present
) -> list[Made]:
    """What becomes of the timers that are due, and of those whose held tick has its turn.

    What is held back has its turn before what is due of the same timer.
    """
    asking = {row["name"] for row in await run(select(agents.c.name).where(agents.c.asks_timers))}
    facts = await _facts(run, [*due, *held])
    released = [(timer, session) for timer, session in held if not facts[timer.id].is_open]
    made = [Made(timer, release(timer, present.at), session) for timer, session in released]
    done = {timer.id for timer, _ in released}
    for timer, session in due:
        if timer.id not in done:
            asks = asked_agent(timer, session) in asking
            stepped = judge(timer, timetable, facts[timer.id], present.at, present.back_at, asks=asks)
            made.append(Made(timer, stepped, session))
    return made


async def _facts(run: Run, due: Sequence[Pair]) -> dict[TimerId, Facts]:
    last = [timer.last_send_id for timer, _ in due if timer.last_send_id is not None]
    statuses: dict[SendId, SendStatus] = {}
    if last:
        rows = await run(select(sends.c.id, sends.c.status).where(sends.c.id.in_(last)))
        statuses = {row["id"]: SendStatus(row["status"]) for row in rows}
    facts = {}
    for timer, session in due:
        status = statuses.get(timer.last_send_id) if timer.last_send_id else None
        facts[timer.id] = Facts(
            is_closed=session is not None and session.status is SessionStatus.CLOSED,
            is_open=status is not None and not status.is_final,
            failures=await _failures(run, timer, status),
        )
    return facts


async def _failures(run: Run, timer: Timer, last: SendStatus | None) -> int:
    """How many of the last sends of the timer that have ended have failed, one after another."""
    if timer.plan.pause_after is None or last is None or (last.is_final and last is not SendStatus.FAILED):
        return 0
    its = timer_firings.join(sends, sends.c.id == timer_firings.c.send_id)
    since = (timer_firings.c.timer_id == timer.id, timer_firings.c.at > timer.armed_at)
    ended = select(sends.c.status).select_from(its).where(*since, sends.c.ended_at.is_not(None))
    latest = ended.order_by(timer_firings.c.number.desc()).limit(timer.plan.pause_after)
    failed = takewhile(lambda row: row["status"] == SendStatus.FAILED.value, await run(latest))
    return sum(1 for _ in failed)


async def _present(run: Run) -> Present:
    back = select(beats.c.back_at).where(beats.c.name == BEATS).scalar_subquery()
    row = (await run(select(now().label("now"), back.label("back_at"))))[0]
    return Present(row["now"], row["back_at"] or EVER)


async def _looking_ahead(run: Run, fired: Fired, theirs: ColumnElement[bool], *, is_full: bool) -> Fired:
    """The same, with how long there is nothing to do."""
    due = select(func.min(timers.c.due_at)).where(_ARMED, _UNASKED, timers.c.due_at.is_not(None), theirs)
    wakes = select(func.min(tool_calls.c.wakes_at)).where(_ASLEEP)
    found = (due.scalar_subquery().label("due"), wakes.scalar_subquery().label("wakes"))
    row = (await run(select(now().label("now"), *found)))[0]
    at = row["now"]
    ahead = [instant - at for instant in (row["due"], row["wakes"]) if instant is not None]
    is_late = row["due"] is not None and row["due"] <= at
    return replace(
        fired,
        more=is_full or is_late,
        sleeps=row["wakes"] is not None and row["wakes"] <= at,
        next_in=min(ahead, default=None),
    )


def _session_of(row: Row) -> Session:
    return session_of({name: row[label] for name, label in _NAMES})
