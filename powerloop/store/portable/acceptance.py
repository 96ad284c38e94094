"""Accepting sends on any database."""

from typing import Any

from sqlalchemy import insert, update

from powerloop.kernel.codec import content_to_json
from powerloop.kernel.errors import RowRefused
from powerloop.kernel.ids import SendId
from powerloop.kernel.sends import Accepted, NewSend, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS, TAKEN, earlier_or_refused, find_earlier
from powerloop.store.admission import refusal
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.inputs import checked_send, send_name
from powerloop.store.portable.locking import lock_session
from powerloop.store.rows import send_of
from powerloop.store.schema import TOKEN_COLUMNS, sends, sessions


class PortableAcceptance:
    """Accepts and finds sends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, new: NewSend) -> Accepted:
        new = checked_send(new)
        try:
            async with self._database.transaction() as run:
                return await _accept(run, new)
        except RowRefused as refused:
            # The id was taken in another session, which our lock does not cover.
            if refused.constraint not in TAKEN:
                raise
        return await earlier_or_refused(self._database.read, new)

    async def find(self, send_id: SendId) -> Send | None:
        rows = await self._database.read(SENDS.where(sends.c.id == send_name(send_id)))
        return send_of(rows[0]) if rows else None


async def _accept(run: Run, new: NewSend) -> Accepted:
    session = await lock_session(run, new.session_id)
    if earlier := await find_earlier(run, new):
        return Accepted(send=earlier, created=False, is_head=False)
    if refused := refusal(session, new):
        raise refused
    assert session is not None
    position, is_head = session.accepted + 1, session.pending == 0
    await run(update(sessions).where(sessions.c.id == session.id).values(accepted=position, updated_at=now()))
    await run(insert(sends).values(_new_row(new, session, position, is_head=is_head)))
    row = (await run(SENDS.where(sends.c.id == new.id)))[0]
    return Accepted(send=send_of(row), created=True, is_head=is_head)


def _new_row(new: NewSend, session: Session, position: int, *, is_head: bool) -> dict[str, Any]:
    return {
        "id": new.id,
        "session_id": new.session_id,
        "position": position,
        "status": SendStatus.QUEUED.value,
        "policy": (new.policy or session.policy).value,
        "content": content_to_json(new.content),
        "idempotency_key": new.idempotency_key,
        "priority": new.priority,
        "metadata": new.metadata,
        "attempt": 0,
        "strikes": 0,
        "dispatches": 1 if is_head else 0,
        "epoch": 0,
        "rounds": 0,
        **dict.fromkeys(TOKEN_COLUMNS, 0),
        "output": [],
        "created_at": now(),
        "dispatched_at": now() if is_head else None,
    }
