"""Questions to people, and what their answers do."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, tuple_, update

from powerloop.kernel.errors import InteractionClosed, InteractionNotFound
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionStatus, Resolution, resolve
from powerloop.kernel.jsontypes import JSON, clean_text
from powerloop.kernel.ports.store import Answered
from powerloop.kernel.sends import Send, SendStatus
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import send_name, session_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.readiness import IS_OPEN_WAIT, SOME_CALL_WAITS, is_in, readied
from powerloop.store.rows import interaction_of, send_of
from powerloop.store.schema import interactions, sends, tool_calls


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
            # Whatever answers or withdraws a question holds this lock.
            await lock_session(run, found.session_id)
            asked = await _find(run, interaction_id)
            if asked is None or asked.status is not InteractionStatus.OPEN:
                raise InteractionClosed(interaction_id, asked.status if asked else "deleted")
            resolution = resolve(asked.kind, answer)
            closed = await _close(run, asked, answer, actor)
            await _resolve_call(run, asked, resolution)
            ready = await _wake(run, asked.send_id)
        return Answered(interaction=closed, ready=ready)


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


async def _resolve_call(run: Run, asked: Interaction, resolution: Resolution) -> None:
    """Have the call end, or wait to be run; one that waits no more stays as it is."""
    call = update(tool_calls).where(
        tool_calls.c.send_id == asked.send_id, tool_calls.c.id == asked.call_id, IS_OPEN_WAIT
    )
    if resolution.text is None:
        changed = {} if resolution.arguments is None else {"arguments": cleaned(resolution.arguments)}
        runs = call.values(status=resolution.status.value, started_at=None, approved=True, **changed)
        await run(runs)
    else:
        text = clean_text(resolution.text)
        await run(call.values(status=resolution.status.value, result=text, ended_at=now()))


async def _wake(run: Run, send_id: SendId) -> Send | None:
    """waiting → queued, if no call of the send waits any more."""
    waiting = update(sends).where(sends.c.id == send_id, is_in(SendStatus.WAITING), ~SOME_CALL_WAITS)
    if not await run(waiting.values(readied()).returning(sends.c.id)):
        return None
    return send_of((await run(SENDS.where(sends.c.id == send_id)))[0])
