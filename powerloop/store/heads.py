"""Which send a session is at."""

from sqlalchemy import select

from powerloop.kernel.sends import Send
from powerloop.kernel.sessions import Session
from powerloop.store.acceptance import SENDS
from powerloop.store.database import Database, Run
from powerloop.store.rows import send_of
from powerloop.store.schema import sends, sessions


async def is_head(database: Database, send: Send) -> bool:
    """As `Journal.is_head`."""
    rows = await database.read(select(sessions.c.finished).where(sessions.c.id == send.session_id))
    return bool(rows) and rows[0]["finished"] == send.position - 1


async def find_head(run: Run, session: Session) -> Send | None:
    """The send that the session, whose row is locked, is at; `None` if no send of it is left."""
    place = sends.c.position == session.finished + 1
    rows = await run(SENDS.where(sends.c.session_id == session.id, place))
    return send_of(rows[0]) if rows else None
