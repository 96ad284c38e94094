"""Conversations and their logs."""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from powerloop.kernel.errors import RowRefused, SessionBusy, SessionExists, SessionNotFound
from powerloop.kernel.ids import Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Message
from powerloop.kernel.sessions import NewSession, Session, SessionStatus
from powerloop.store.columns import now
from powerloop.store.containing import having
from powerloop.store.database import Database
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import checked_session, session_name
from powerloop.store.rows import messages_of, origin_row, session_of
from powerloop.store.schema import messages, sessions


class SqlSessions:
    """The `Sessions` port. Each method is one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewSession) -> Session:
        new = checked_session(new)
        row = insert(sessions).values(
            id=new.id,
            agent=new.agent,
            status=SessionStatus.OPEN.value,
            metadata=new.metadata,
            epoch=0,
            seq=0,
            accepted=0,
            finished=0,
            created_at=now(),
            updated_at=now(),
            policy=new.policy.value,
            steering=0,
            **origin_row(new.origin),
        )
        try:
            return session_of((await self._database.write(row.returning(sessions)))[0])
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
        is_open = sessions.c.status == SessionStatus.OPEN.value
        change = update(sessions).values(status=SessionStatus.CLOSED.value, updated_at=now())
        rows = await self._database.write(change.where(_is(session_id), is_open).returning(sessions))
        return session_of(rows[0]) if rows else await self._get(session_id)

    async def delete(self, session_id: SessionId) -> None:
        # The rows that refer to it go with it.
        idle = sessions.c.accepted == sessions.c.finished
        rows = await self._database.write(
            delete(sessions).where(_is(session_id), idle).returning(sessions.c.id)
        )
        if not rows:
            raise SessionBusy((await self._get(session_id)).id)

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


def _is(session_id: SessionId) -> ColumnElement[bool]:
    return sessions.c.id == session_name(session_id)
