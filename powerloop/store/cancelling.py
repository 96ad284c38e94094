"""Asking for the end of a send, on any database."""

from typing import assert_never

from sqlalchemy import delete, insert, select, update

from powerloop.kernel.errors import RowRefused
from powerloop.kernel.ids import SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import CancelEffect, Cancellation, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS
from powerloop.store.advancing import advance
from powerloop.store.children import tell_parent
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.inputs import checked_send_id
from powerloop.store.portable.locking import lock_session
from powerloop.store.rows import cancel_row, send_of
from powerloop.store.schema import early_cancels, sends


async def cancel(database: Database, send_id: SendId, reason: str, actor: str) -> Cancellation:
    """As `Sends.cancel`.

    One that is not known is remembered first, and looked for once more then: an accept that was faster is
    found here, and the claim of one that was slower finds what we remembered.

    Raises:
        InvalidInput: the id is empty or too long.
    """
    send_id = checked_send_id(send_id)
    known = await _cancel_known(database, send_id, reason, actor)
    if known is None:
        await _remember(database, send_id, reason, actor)
        known = await _cancel_known(database, send_id, reason, actor)
    return known or Cancellation(send_id=send_id, effect=CancelEffect.REMEMBERED, send=None)


async def _remember(database: Database, send_id: SendId, reason: str, actor: str) -> None:
    early = {"send_id": send_id, "reason": clean_text(reason), "actor": clean_text(actor)}
    try:
        await database.write(insert(early_cancels).values(requested_at=now(), **early))
    except RowRefused as refused:
        if refused.constraint != early_cancels.primary_key.name:
            raise


async def _cancel_known(database: Database, send_id: SendId, reason: str, actor: str) -> Cancellation | None:
    """Cancel the send if there is one."""
    rows = await database.read(select(sends.c.session_id).where(sends.c.id == send_id))
    if not rows:
        return None
    async with database.transaction() as run:
        session = await lock_session(run, rows[0]["session_id"])
        send = await _find(run, send_id)
        if session is None or send is None:
            return None
        early = await _forget(run, send_id)
        if not send.status.is_final and send.cancel is None:
            asked = update(sends).where(sends.c.id == send_id)
            await run(asked.values(early or cancel_row(reason, actor, now())))
        return await end(run, session, send)


async def _forget(run: Run, send_id: SendId) -> dict[str, object] | None:
    """The columns of a cancel that came before the send was accepted, if there was one: the send's row has it
    from now on."""
    remembered = delete(early_cancels).where(early_cancels.c.send_id == send_id)
    for row in await run(remembered.returning(early_cancels)):
        return cancel_row(row["reason"], row["actor"], row["requested_at"])
    return None


async def end(run: Run, session: Session, send: Send) -> Cancellation:
    """What the request that is written comes to, in the state that the send is in. Its session is locked."""
    effect, ready = CancelEffect.REQUESTED, None
    match send.status:
        case SendStatus.QUEUED if send.started_at is None:
            effect, ready = CancelEffect.CANCELLED, await _cancel_now(run, session, send)
        case SendStatus.QUEUED | SendStatus.WAITING:
            # Its transcript is to be closed, which takes a worker.
            ready = await _make_ready(run, send)
        case SendStatus.RUNNING:
            pass
        case (
            SendStatus.COMPLETED
            | SendStatus.FAILED
            | SendStatus.CANCELLED
            | SendStatus.EXPIRED
            | SendStatus.MERGED
        ):
            effect = CancelEffect.ENDED
        case unreachable:
            assert_never(unreachable)
    after = await _find(run, send.id)
    told = await tell_parent(run, after) if after and effect is CancelEffect.CANCELLED else None
    return Cancellation(send_id=send.id, effect=effect, send=after, ready=ready, parent=told)


async def _cancel_now(run: Run, session: Session, send: Send) -> Send | None:
    """End a send that has not started; the session's next head, if the send was its head."""
    ended = update(sends).where(sends.c.id == send.id)
    await run(ended.values(status=SendStatus.CANCELLED.value, ended_at=now()))
    return await advance(run, session) if session.finished == send.position - 1 else None


async def _make_ready(run: Run, send: Send) -> Send | None:
    queued = update(sends).where(sends.c.id == send.id)
    await run(
        queued.values(
            status=SendStatus.QUEUED.value,
            owner=None,
            dispatched_at=now(),
            dispatches=sends.c.dispatches + 1,
        )
    )
    return await _find(run, send.id)


async def _find(run: Run, send_id: SendId) -> Send | None:
    rows = await run(SENDS.where(sends.c.id == send_id))
    return send_of(rows[0]) if rows else None
