"""Timers: made, found and steered, on any database. How they fire is beside this, in `timer_firing`.

Whatever changes a timer has the row of its session locked, if it has a session, and then its own. A beat
takes both at once, and passes over those that are locked: it waits for nobody while it holds hundreds.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, tuple_, update

from powerloop.kernel.errors import (
    RowRefused,
    SessionNotFound,
    TimerNotFound,
    TimerQuotaReached,
)
from powerloop.kernel.firing import stands_as_asked
from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send
from powerloop.kernel.sessions import Session
from powerloop.kernel.timer_edges import (
    cancelled,
    new_timer,
    paused,
    postponed_by,
    resumed,
    told_again,
)
from powerloop.kernel.timers import Firing, NewTimer, Timer, TimerOwner, TimerStatus
from powerloop.store.admission import refuse_closed
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.inputs import session_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.schema import agents, timer_firings, timers
from powerloop.store.timer_firing import fire_due, settle, trigger
from powerloop.store.timer_rows import (
    checked_timer,
    firing_of,
    named,
    plan_row,
    readable_timer,
    timer_name,
    timer_of,
    timer_row,
)


class SqlTimers:
    """The `Timers` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewTimer, timetable: Timetable) -> Timer:
        new = checked_timer(new)
        try:
            async with self._database.transaction() as run:
                return await _create(run, new, timetable)
        except RowRefused as refused:
            if refused.constraint != "pk_timers":
                raise
        # A twin was faster.
        async with self._database.transaction() as run:
            return await _create(run, new, timetable)

    async def find(self, timer_id: TimerId) -> Timer | None:
        rows = await self._database.read(select(timers).where(timers.c.id == timer_name(timer_id)))
        return timer_of(rows[0]) if rows else None

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        agent: str | None = None,
        status: Sequence[TimerStatus] | None = None,
        owner: TimerOwner | None = None,
        before: TimerId | None = None,
        limit: int = 100,
    ) -> Sequence[Timer]:
        query = select(timers).order_by(timers.c.created_at.desc(), timers.c.id.desc())
        if session_id is not None:
            query = query.where(timers.c.session_id == session_name(session_id))
        if agent is not None:
            query = query.where(timers.c.agent == clean_text(agent))
        if status is not None:
            query = query.where(timers.c.status.in_([one.value for one in status]))
        if owner is not None:
            query = query.where(timers.c.owner == owner.value)
        if before is not None:
            edge = select(timers.c.created_at, timers.c.id).where(timers.c.id == timer_name(before))
            query = query.where(tuple_(timers.c.created_at, timers.c.id) < edge.scalar_subquery())
        rows = await self._database.read(query.limit(max(limit, 0)))
        return [timer for timer in map(readable_timer, rows) if timer is not None]

    async def firings(self, timer_id: TimerId, *, limit: int = 100) -> Sequence[Firing]:
        its = select(timer_firings).where(timer_firings.c.timer_id == timer_name(timer_id))
        query = its.order_by(timer_firings.c.tick_at.desc()).limit(max(limit, 0))
        return [firing_of(row) for row in await self._database.read(query)]

    async def pause(self, timer_id: TimerId, reason: str) -> Timer:
        return await self._change(timer_id, lambda timer, _now: paused(timer, reason))

    async def resume(self, timer_id: TimerId, timetable: Timetable) -> Timer:
        return await self._change(
            timer_id, lambda timer, now: resumed(timer, timetable, now), needs_open_session=True
        )

    async def postpone(self, timer_id: TimerId, *, by: timedelta | None, until: datetime | None) -> Timer:
        return await self._change(timer_id, lambda timer, now: postponed_by(timer, by, until, now))

    async def cancel(self, timer_id: TimerId, reason: str) -> Timer:
        return await self._change(timer_id, lambda timer, now: cancelled(timer, reason, now))

    async def trigger(self, timer_id: TimerId) -> tuple[Timer, Send, bool]:
        async with self._database.transaction() as run:
            timer, session = await lock_timer(run, timer_id)
            refuse_closed(session)
            return await trigger(run, timer, session)

    async def fire(self, timetable: Timetable, limit: int, *, agents: Collection[str] | None = None) -> Fired:
        async with self._database.transaction() as run:
            return await fire_due(run, timetable, limit, agents)

    async def settle(self, asked: Timer, answer: TimerAnswer, timetable: Timetable) -> Fired:
        async with self._database.transaction() as run:
            try:
                timer, session = await lock_timer(run, asked.id)
            except TimerNotFound:
                return Fired()
            if not stands_as_asked(timer, asked):
                return Fired()
            return await settle(run, timer, session, answer, timetable)

    async def _change(
        self,
        timer_id: TimerId,
        change: Callable[[Timer, datetime], Timer],
        *,
        needs_open_session: bool = False,
    ) -> Timer:
        async with self._database.transaction() as run:
            timer, session = await lock_timer(run, timer_id)
            if needs_open_session:
                refuse_closed(session)
            changed = change(timer, await present(run))
            await _write(run, changed)
        return changed


async def lock_timer(run: Run, timer_id: TimerId) -> tuple[Timer, Session | None]:
    """The timer and its session, both locked.

    Raises:
        TimerNotFound: there is none of that id.
    """
    timer_id = timer_name(timer_id)
    its = select(timers).where(timers.c.id == timer_id)
    # Of whose session it is nothing ever changes.
    found = await run(its)
    session = await lock_session(run, found[0]["session_id"]) if found and found[0]["session_id"] else None
    rows = await run(its.with_for_update(key_share=True))
    if not rows:
        raise TimerNotFound(timer_id)
    return timer_of(rows[0]), session


async def present(run: Run) -> datetime:
    """The database's clock."""
    at: datetime = (await run(select(now().label("now"))))[0]["now"]
    return at


async def _create(run: Run, new: NewTimer, timetable: Timetable) -> Timer:
    agent = new.agent
    if new.session_id is not None:
        session = await lock_session(run, session_name(new.session_id))
        if session is None:
            raise SessionNotFound(new.session_id)
        agent = session.agent
        refuse_closed(session)
    rows = await run(select(timers).where(timers.c.id == new.id).with_for_update(key_share=True))
    earlier = timer_of(rows[0]) if rows else None
    at = await present(run)
    if earlier is None:
        await _check_quota(run, new, agent)
        timer = named(new_timer(new, timetable, at), agent)
        await run(insert(timers).values(timer_row(timer)))
        return timer
    changed = named(told_again(earlier, named(new, agent), timetable, at), agent)
    if changed != earlier:
        await _write(run, changed)
    return changed


async def _check_quota(run: Run, new: NewTimer, agent: str) -> None:
    """Raises `TimerQuotaReached`. The session is locked, and the row of the agent is from here on: of two
    that take the last place at once, one is refused."""
    quota = new.quota
    if quota is None:
        return
    live = select(func.count().label("count")).where(
        timers.c.ended_at.is_(None), timers.c.owner == TimerOwner.AGENT.value
    )
    of_session = live.where(timers.c.session_id == new.session_id)
    if (await run(of_session))[0]["count"] >= quota.per_session:
        raise TimerQuotaReached(quota.per_session, "this session")
    if quota.per_agent is None:
        return
    await run(select(agents.c.name).where(agents.c.name == agent).with_for_update())
    if (await run(live.where(timers.c.agent == agent)))[0]["count"] >= quota.per_agent:
        raise TimerQuotaReached(quota.per_agent, f"the agent {agent!r}")


async def _write(run: Run, timer: Timer) -> None:
    await run(update(timers).where(timers.c.id == timer.id).values(plan_row(timer)))
