"""The queue of each session, as its producers see it."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, select, tuple_

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject, clean_text
from powerloop.kernel.sends import Accepted, Cancellation, NewSend, Send, SendStatus
from powerloop.store.acceptance import SENDS, Acceptance
from powerloop.store.cancelling import cancel
from powerloop.store.children import bound_to
from powerloop.store.containing import having
from powerloop.store.database import Database
from powerloop.store.inputs import send_name, session_name
from powerloop.store.rows import send_of
from powerloop.store.schema import sends, sessions


class SqlSends:
    """The `Sends` port. `acceptance` carries out what is hot."""

    def __init__(self, database: Database, acceptance: Acceptance) -> None:
        self._database = database
        self._acceptance = acceptance

    async def accept(self, new: NewSend) -> Accepted:
        return await self._acceptance.accept(new)

    async def find(self, send_id: SendId) -> Send | None:
        return await self._acceptance.find(send_id)

    async def cancel(self, send_id: SendId, *, reason: str = "", actor: str = "") -> Cancellation:
        return await cancel(self._database, send_id, reason, actor)

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        status: SendStatus | Collection[SendStatus] | None = None,
        agent: str | None = None,
        metadata: JSONObject | None = None,
        root_id: SendId | None = None,
        before: SendId | None = None,
        limit: int = 100,
    ) -> Sequence[Send]:
        order: Sequence[ColumnElement[object]] = (sends.c.created_at, sends.c.id)
        query = SENDS.limit(max(limit, 0))
        edge = select(sends).where(sends.c.id == send_name(before or SendId("")))
        if session_id is not None:
            order = (sends.c.position,)
            query = query.where(sends.c.session_id == session_name(session_id))
            edge = edge.where(sends.c.session_id == session_name(session_id))
        if status is not None:
            statuses = (status,) if isinstance(status, SendStatus) else status
            query = query.where(sends.c.status.in_([status.value for status in statuses]))
        if agent is not None:
            query = query.where(sessions.c.agent == clean_text(agent))
        if metadata:
            query = query.where(having(sends.c.metadata, metadata, self._database.address.dialect))
        if root_id is not None:
            query = query.where(sends.c.root_id == send_name(root_id))
        if before is not None:
            query = query.where(tuple_(*order) < edge.with_only_columns(*order).scalar_subquery())
        rows = await self._database.read(query.order_by(*(column.desc() for column in order)))
        return [send_of(row) for row in rows]

    async def bound_to(self, send_id: SendId) -> Sequence[Send]:
        return await bound_to(self._database.read, send_id)
