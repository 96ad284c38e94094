"""Moving a session on to its next send that has not ended."""

from sqlalchemy import update

from powerloop.kernel.ids import SessionId
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.portable.locking import lock_session
from powerloop.store.rows import send_of
from powerloop.store.schema import sends, sessions

_OPEN = sends.c.status.in_([status.value for status in SendStatus if not status.is_final])


async def advance_session(database: Database, session_id: SessionId) -> Send | None:
    """`advance` in a transaction of its own."""
    async with database.transaction() as run:
        session = await lock_session(run, session_id)
        return await advance(run, session) if session else None


async def advance(run: Run, session: Session) -> Send | None:
    """Move the session, whose row is locked, over sends that have ended.

    Returns its head, stamped as dispatched now, if it waits for a worker and was not dispatched before.
    """
    its_open = (sends.c.session_id == session.id, sends.c.position > session.finished, _OPEN)
    rows = await run(SENDS.where(*its_open).order_by(sends.c.position).limit(1))
    head = send_of(rows[0]) if rows else None
    finished = head.position - 1 if head else session.accepted
    moved = update(sessions).where(sessions.c.id == session.id)
    await run(moved.values(finished=finished, updated_at=now()))
    if head is None or head.status is not SendStatus.QUEUED or head.dispatched_at is not None:
        return None
    stamped = update(sends).where(sends.c.id == head.id)
    await run(stamped.values(dispatched_at=now(), dispatches=sends.c.dispatches + 1))
    return send_of((await run(SENDS.where(sends.c.id == head.id)))[0])
