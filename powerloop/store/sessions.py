"""Conversations and their logs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    delete,
    literal,
    select,
    tuple_,
    update,
)

from powerloop.kernel.errors import RowRefused, SessionBusy, SessionExists, SessionNotFound
from powerloop.kernel.ids import Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Message
from powerloop.kernel.ports.store import Resumed
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import NewSession, Session, SessionStatus
from powerloop.store.acceptance import SENDS
from powerloop.store.children import IS_BOUND
from powerloop.store.columns import now
from powerloop.store.containing import having
from powerloop.store.database import Database, Run
from powerloop.store.encoding import cleaned
from powerloop.store.heads import find_head
from powerloop.store.inputs import checked_session, session_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.portable.writing import add_session, change_session
from powerloop.store.readiness import readied
from powerloop.store.rows import messages_of, send_of, session_of
from powerloop.store.schema import messages, sends, sessions
from powerloop.store.timer_closing import cancel_timers


class SqlSessions:
    """The `Sessions` port. Each method is one statement, but for those that reach sub-agents too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewSession) -> Session:
        new = checked_session(new)
        try:
            return await add_session(self._database.write, new)
        except RowRefused as refused:
            if refused.constraint == "pk_sessions":
                raise SessionExists(new.id) from refused
            raise

    async def ensure(self, new: NewSession) -> Session:
        new = checked_session(new)
        if session := await self.find(new.id):
            return session
        try:
            return await self.create(new)
        except SessionExists:
            return await self._get(new.id)

    async def find(self, session_id: SessionId) -> Session | None:
        rows = await self._database.read(select(sessions).where(_is(session_id)))
        return session_of(rows[0]) if rows else None

    async def list(
        self,
        *,
        agent: str | None = None,
        status: SessionStatus | None = None,
        metadata: JSONObject | None = None,
        parent_id: SessionId | None = None,
        before: SessionId | None = None,
        limit: int = 100,
    ) -> Sequence[Session]:
        query = select(sessions).limit(max(limit, 0))
        if agent is not None:
            query = query.where(sessions.c.agent == agent)
        if status is not None:
            query = query.where(sessions.c.status == status.value)
        if metadata:
            query = query.where(having(sessions.c.metadata, metadata, self._database.address.dialect))
        if parent_id is not None:
            query = query.where(sessions.c.parent_id == session_name(parent_id))
        if before is not None:
            edge = select(sessions.c.created_at, sessions.c.id).where(_is(before)).scalar_subquery()
            query = query.where(tuple_(sessions.c.created_at, sessions.c.id) < edge)
        rows = await self._database.read(query.order_by(sessions.c.created_at.desc(), sessions.c.id.desc()))
        return [session_of(row) for row in rows]

    async def update_metadata(self, session_id: SessionId, metadata: JSONObject) -> Session:
        change = update(sessions).where(_is(session_id)).values(metadata=cleaned(metadata), updated_at=now())
        rows = await self._database.write(change.returning(sessions))
        if not rows:
            raise SessionNotFound(session_id)
        return session_of(rows[0])

    async def close(self, session_id: SessionId) -> Session:
        closed = update(sessions).values(status=SessionStatus.CLOSED.value, updated_at=now())
        async with self._database.transaction() as run:
            ids = await lock_with_bound(run, session_id)
            await run(closed.where(sessions.c.id.in_(ids), sessions.c.status == SessionStatus.OPEN.value))
            await cancel_timers(run, ids)
        return await self._get(session_id)

    async def pause(self, session_id: SessionId) -> Session:
        paused = update(sessions).where(_is(session_id), sessions.c.paused_at.is_(None))
        await self._database.write(paused.values(paused_at=now(), updated_at=now()))
        return await self._get(session_id)

    async def resume(self, session_id: SessionId) -> Resumed:
        async with self._database.transaction() as run:
            session = await lock_session(run, session_name(session_id))
            if session is None:
                raise SessionNotFound(session_id)
            if session.paused_at is None:
                return Resumed(session=session, ready=None)
            await change_session(run, session.id, paused_at=None)
            head = await find_head(run, session)
            ready = await _dispatched(run, head) if head and head.status is SendStatus.QUEUED else None
        return Resumed(session=await self._get(session_id), ready=ready)

    async def delete(self, session_id: SessionId) -> None:
        async with self._database.transaction() as run:
            doomed = await lock_with_bound(run, session_id)
            if not doomed:
                raise SessionNotFound(session_id)
            # What they started while we waited for their locks is found now. Idle ones start no more.
            found = [session_of(row) for row in await run(_with_bound(session_id))]
            if busy := [one.id for one in found if one.pending or one.id not in doomed]:
                raise SessionBusy(busy[0])
            # The rows that refer to them go with them.
            await run(delete(sessions).where(sessions.c.id.in_(doomed)))

    async def messages(
        self, session_id: SessionId, *, after: Seq = Seq(0), limit: int = 1000
    ) -> Sequence[Message]:
        query = select(messages).where(
            messages.c.session_id == session_name(session_id), messages.c.seq > after
        )
        rows = await self._database.read(query.order_by(messages.c.seq).limit(max(limit, 0)))
        return messages_of(rows)

    async def _get(self, session_id: SessionId) -> Session:
        session = await self.find(session_id)
        if session is None:
            raise SessionNotFound(session_id)
        return session


async def _dispatched(run: Run, head: Send) -> Send:
    """The head, as it is to be published: whoever took its message while the session was paused dropped it.

    Its stamp stays. The message may still lie where it was, in front of others: a new stamp would say that
    all these had been overtaken.
    """
    if head.dispatched_at is not None:
        return head
    await run(update(sends).where(sends.c.id == head.id).values(readied()))
    return send_of((await run(SENDS.where(sends.c.id == head.id)))[0])


def _is(session_id: SessionId) -> ColumnElement[bool]:
    return sessions.c.id == session_name(session_id)


async def lock_with_bound(run: Run, session_id: SessionId) -> Sequence[SessionId]:
    """The ids of the session, and of those that are bound to it, all locked."""
    locked = _with_bound(session_id).with_for_update(of=sessions, key_share=True)
    return [row["id"] for row in await run(locked)]


def _with_bound(session_id: SessionId) -> Select[Any]:
    """The session, and those of sub-agents that are bound to it: the lower before the upper, as the end of
    a sub-agent locks them."""
    first = select(sessions.c.id, literal(0).label("level")).where(_is(session_id))
    bound = first.cte("bound", recursive=True)
    below = bound.join(sessions, sessions.c.parent_id == bound.c.id)
    bound = bound.union_all(select(sessions.c.id, bound.c.level + 1).select_from(below).where(IS_BOUND))
    query = select(sessions).join(bound, bound.c.id == sessions.c.id)
    return query.order_by(bound.c.level.desc(), sessions.c.id)
