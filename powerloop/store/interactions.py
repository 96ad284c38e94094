"""Questions to people, and what their answers do."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, tuple_, update

from powerloop.kernel.errors import InteractionClosed, InteractionNotFound
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus, resolve
from powerloop.kernel.jsontypes import JSON, clean_text
from powerloop.kernel.ports.interactions import Answered
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import send_name, session_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.resolving import resolve_call, wake
from powerloop.store.rows import interaction_of
from powerloop.store.schema import interactions


class SqlInteractions:
    """The `Interactions` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, interaction_id: InteractionId) -> Interaction | None:
        return await _find(self._database.read, interaction_id)

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        send_id: SendId | None = None,
        kind: InteractionKind | None = None,
        status: InteractionStatus | None = InteractionStatus.OPEN,
        before: InteractionId | None = None,
        limit: int = 100,
    ) -> Sequence[Interaction]:
        order: Sequence[ColumnElement[object]] = (interactions.c.created_at, interactions.c.id)
        query = select(interactions).limit(max(limit, 0))
        if session_id is not None:
            query = query.where(interactions.c.session_id == session_name(session_id))
        if send_id is not None:
            query = query.where(interactions.c.send_id == send_name(send_id))
        if kind is not None:
            query = query.where(interactions.c.kind == kind.value)
        if status is not None:
            query = query.where(interactions.c.status == status.value)
        if before is not None:
            edge = select(*order).where(interactions.c.id == clean_text(before)).scalar_subquery()
            query = query.where(tuple_(*order) < edge)
        rows = await self._database.read(query.order_by(*(column.desc() for column in order)))
        return [interaction_of(row) for row in rows]

    async def answer(self, interaction_id: InteractionId, answer: JSON, *, actor: str = "") -> Answered:
        async with self._database.transaction() as run:
            found = await _find(run, interaction_id)
            if found is None:
                raise InteractionNotFound(interaction_id)
            # Whatever closes a question holds this lock.
            await lock_session(run, found.session_id)
            asked = await _find(run, interaction_id)
            if asked is None:
                raise InteractionClosed(interaction_id, "deleted")
            if asked.status is not InteractionStatus.OPEN:
                raise closed_before(asked)
            resolution = resolve(asked.kind, answer)
            answered = await _close(run, asked, answer, actor)
            await resolve_call(run, asked, resolution)
            woken = await wake(run, [asked.send_id])
        return Answered(interaction=answered, ready=woken[0] if woken else None)


def closed_before(asked: Interaction) -> InteractionClosed:
    """The refusal of an answer that comes too late."""
    return InteractionClosed(asked.id, asked.status, actor=asked.actor, closed_at=asked.closed_at)


async def _find(run: Run, interaction_id: InteractionId) -> Interaction | None:
    rows = await run(select(interactions).where(interactions.c.id == clean_text(interaction_id)))
    return interaction_of(rows[0]) if rows else None


async def _close(run: Run, asked: Interaction, answer: JSON, actor: str) -> Interaction:
    answered = update(interactions).where(interactions.c.id == asked.id)
    values = answered.values(
        status=InteractionStatus.ANSWERED.value,
        answer=cleaned(answer),
        actor=clean_text(actor),
        closed_at=now(),
    )
    rows = await run(values.returning(interactions))
    return interaction_of(rows[0])
