"""Sends that nobody drives, found and made ready for a worker again.

Whatever moves a send takes its session's row lock first. So does recovery, passing over sessions that are
locked: their sends are being moved as we look. What made a send a candidate is judged again by the update,
which has a snapshot of its own, taken under the lock: a claim that was faster, a lease that was renewed, an
other sweeper that stamped the send are all seen. In SQLite the transaction itself is the lock.

An owner that is alive after all, but could not renew its lease in time, loses its send here: every write of
an executor asks for a running send, under its session's lock. The epoch rises with the next claim.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.ids import SessionId
from powerloop.kernel.interactions import InteractionStatus, expire
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.subagents import PARENT_ENDED
from powerloop.store.acceptance import SENDS
from powerloop.store.advancing import advance
from powerloop.store.children import IS_ORPHAN
from powerloop.store.columns import now
from powerloop.store.database import Database
from powerloop.store.disowning import disown
from powerloop.store.lateness import ago, dead_owners, is_alive, is_overdue, is_overtaken
from powerloop.store.readiness import SOME_CALL_WAITS, is_in, readied
from powerloop.store.resolving import resolve_call, wake
from powerloop.store.rows import interaction_of, send_of, session_of
from powerloop.store.schema import (
    early_cancels,
    interactions,
    lane_marks,
    sends,
    sessions,
    tool_calls,
    worker_leases,
)

#: Sessions with a queue that one call of `advance` looks at. The next call looks at those after them.
_WINDOW: Final = 1_000


_RUNNING: Final = is_in(SendStatus.RUNNING)
_QUEUED: Final = is_in(SendStatus.QUEUED)
_BEHIND: Final = and_(_QUEUED, sends.c.dispatched_at.is_(None))
_ITS_SESSION: Final = exists().where(sessions.c.id == sends.c.session_id)
_IS_HEAD: Final = _ITS_SESSION.where(sessions.c.finished == sends.c.position - 1).correlate(sends)
#: What nobody may claim is not lost.
_IS_PAUSED: Final = _ITS_SESSION.where(
    sessions.c.paused_at.is_not(None), sends.c.cancel_requested_at.is_(None)
).correlate(sends)
_READY: Final = and_(_QUEUED, sends.c.dispatched_at.is_not(None), _IS_HEAD, ~_IS_PAUSED)


class SqlRecovery:
    """The `Recovery` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_up_to = SessionId("")

    async def reclaim(self, limit: int) -> Sequence[Send]:
        dead = [row["owner"] for row in await self._database.read(_DEAD_OWNERS)]
        if not dead:
            return ()
        orphaned = and_(_RUNNING, sends.c.owner.in_(dead), ~is_alive(sends.c.owner))
        return await self._make_ready(orphaned, limit)

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[Send]:
        marks = await self._database.read(select(lane_marks))
        if not marks:
            return ()
        return await self._make_ready(and_(_READY, is_overtaken(sends, marks, margin)), limit)

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[Send]:
        if not lanes:
            return ()
        return await self._make_ready(and_(_READY, is_overdue(sends, age, lanes)), limit)

    async def resume(self, limit: int) -> Sequence[Send]:
        asked_to_end, out_of_time = sends.c.cancel_requested_at.is_not(None), sends.c.deadline_at <= now()
        return await self._make_ready(
            and_(is_in(SendStatus.WAITING), or_(asked_to_end, out_of_time, ~SOME_CALL_WAITS)), limit
        )

    async def expire(self, limit: int) -> Sequence[Send]:
        async with self._database.transaction() as run:
            found = await run(
                _EXPIRING.limit(limit).with_for_update(of=sessions, key_share=True, skip_locked=True)
            )
            if not found:
                return ()
            still_open = update(interactions).where(
                interactions.c.id.in_([row["id"] for row in found]), _IS_OVER
            )
            values = {"status": InteractionStatus.EXPIRED.value, "closed_at": now()}
            rows = await run(still_open.values(values).returning(interactions))
            expired = [interaction_of(row) for row in rows]
            for question in expired:
                await resolve_call(run, question, expire(question))
            return await wake(run, {question.send_id for question in expired})

    async def rouse(self, limit: int) -> Sequence[Send]:
        async with self._database.transaction() as run:
            found = await run(
                _SLEEPING.limit(limit).with_for_update(of=sessions, key_share=True, skip_locked=True)
            )
            if not found:
                return ()
            calls = [(row["send_id"], row["round"], row["call_index"]) for row in found]
            place = tuple_(tool_calls.c.send_id, tool_calls.c.round, tool_calls.c.call_index)
            slept = update(tool_calls).where(place.in_(calls), _HAS_SLEPT)
            values = {"status": CallStatus.DONE.value, "result": tool_calls.c.wake_result, "ended_at": now()}
            rows = await run(slept.values(values).returning(tool_calls.c.send_id))
            return await wake(run, {row["send_id"] for row in rows})

    async def cancel_orphans(self, limit: int) -> Sequence[Send]:
        async with self._database.transaction() as run:
            found = select(sends.c.id).join(sessions).where(IS_ORPHAN).limit(limit)
            rows = await run(found.with_for_update(of=sessions, key_share=True, skip_locked=True))
            if not rows:
                return ()
            return await disown(run, [row["id"] for row in rows], PARENT_ENDED)

    async def advance(self, limit: int) -> Sequence[Send]:
        window = await self._database.read(_busy_sessions(self._looked_up_to))
        self._looked_up_to = SessionId(window[-1]["id"] if len(window) == _WINDOW else "")
        stuck = [row["id"] for row in window if row["is_stuck"]][:limit]
        if not stuck:
            return ()
        locked = select(sessions).where(sessions.c.id.in_(stuck))
        async with self._database.transaction() as run:
            rows = await run(locked.with_for_update(key_share=True, skip_locked=True))
            heads = [await advance(run, session_of(row)) for row in rows]
        return [head for head in heads if head is not None]

    async def give_back(self, held: Sequence[Held]) -> Sequence[Send]:
        claims = [(one.send_id, one.epoch) for one in held]
        if not claims:
            return ()
        theirs = and_(_RUNNING, tuple_(sends.c.id, sends.c.epoch).in_(claims))
        return await self._make_ready(theirs, len(claims))

    async def forget_leases(self, age: timedelta) -> int:
        ran_out = delete(worker_leases).where(worker_leases.c.expires_at < ago(age))
        return len(await self._database.write(ran_out.returning(worker_leases.c.id)))

    async def forget_cancels(self, age: timedelta) -> int:
        old = delete(early_cancels).where(early_cancels.c.requested_at < ago(age))
        return len(await self._database.write(old.returning(early_cancels.c.send_id)))

    async def _make_ready(self, lost: ColumnElement[bool], limit: int) -> Sequence[Send]:
        """Have the lost sends queued and stamped as dispatched now: those whose session nobody has locked."""
        found = select(sends.c.id).join(sessions).where(lost).limit(limit)
        async with self._database.transaction() as run:
            rows = await run(found.with_for_update(of=sessions, key_share=True, skip_locked=True))
            if not rows:
                return ()
            still_lost = update(sends).where(sends.c.id.in_([row["id"] for row in rows]), lost)
            queued = await run(still_lost.values(readied()).returning(sends.c.id))
            ready = [row["id"] for row in queued]
            rows = await run(SENDS.where(sends.c.id.in_(ready)).order_by(sends.c.dispatched_at, sends.c.id))
        return [send_of(row) for row in rows]


def _busy_sessions(after_id: SessionId) -> Select[str, bool]:
    """The next sessions after this id with a send behind another, and whether nothing is at their head.

    A walk from session to session along the index of sends that are behind: some have ten thousand of them.
    """
    lowest = func.min(sends.c.session_id).label("id")
    busy = select(lowest).where(_BEHIND, sends.c.session_id > after_id).cte("busy", recursive=True)
    following = select(lowest).where(_BEHIND, sends.c.session_id > busy.c.id).scalar_subquery()
    busy = busy.union_all(select(following).where(busy.c.id.is_not(None)))
    # Values, not EXISTS: a planner may answer that by reading the whole table once.
    place = select(sessions.c.finished + 1).where(sessions.c.id == busy.c.id).correlate(busy)
    at_head = and_(sends.c.session_id == busy.c.id, sends.c.position == place.scalar_subquery())
    undriven = or_(sends.c.ended_at.is_not(None), _BEHIND)
    is_stuck = select(undriven).where(at_head).correlate(busy).scalar_subquery()
    return select(busy.c.id, is_stuck.label("is_stuck")).where(busy.c.id.is_not(None)).limit(_WINDOW)


_DEAD_OWNERS: Final = dead_owners(sends, _RUNNING)
_IS_OVER: Final = and_(
    # As the condition of the partial index says it.
    interactions.c.status == literal(InteractionStatus.OPEN.value, literal_execute=True),
    interactions.c.expires_at <= ago(timedelta(0)),
)
_HAS_SLEPT: Final = and_(
    # As the condition of the partial index says it.
    tool_calls.c.status == literal(CallStatus.WAITING.value, literal_execute=True),
    tool_calls.c.wakes_at <= ago(timedelta(0)),
)
#: Calls that have slept, with their sessions, which are to be locked.
_SLEEPING: Final = (
    select(tool_calls.c.send_id, tool_calls.c.round, tool_calls.c.call_index)
    .join(sessions, sessions.c.id == tool_calls.c.session_id)
    .where(_HAS_SLEPT)
    .order_by(tool_calls.c.wakes_at)
)
#: Open questions whose time is over, with their sessions, which are to be locked.
_EXPIRING: Final = (
    select(interactions.c.id)
    .join(sessions, sessions.c.id == interactions.c.session_id)
    .where(_IS_OVER)
    .order_by(interactions.c.expires_at)
)
