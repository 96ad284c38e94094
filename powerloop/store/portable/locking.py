"""The session's row lock, which every transaction takes before anything else."""

from sqlalchemy import select

from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import SessionId
from powerloop.kernel.sends import Fence, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS
from powerloop.store.database import Run
from powerloop.store.rows import send_of, session_of
from powerloop.store.schema import sends, sessions


async def lock_session(run: Run, session_id: SessionId) -> Session | None:
    """The session as it stands, with its row locked until the end of the transaction.

    What is read after this is up to date: each statement of a transaction has a snapshot of its own, and
    whatever moves a send of the session holds this lock. In SQLite the transaction itself is the lock.
    """
    row = select(sessions).where(sessions.c.id == session_id).with_for_update(key_share=True)
    rows = await run(row)
    return session_of(rows[0]) if rows else None


async def lock_fenced(run: Run, fence: Fence) -> tuple[Session, Send]:
    """The session, locked, and the running send that `fence` gives the right to write.

    Raises:
        Fenced: it gives no such right any more.
    """
    session = await lock_session(run, fence.session_id)
    if session is None or session.epoch != fence.epoch:
        raise Fenced
    rows = await run(SENDS.where(sends.c.id == fence.send_id, sends.c.session_id == session.id))
    send = send_of(rows[0]) if rows else None
    if send is None or send.status is not SendStatus.RUNNING:
        raise Fenced
    return session, send
