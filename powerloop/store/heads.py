"""Which send a session is at."""

from sqlalchemy import select

from powerloop.kernel.sends import Send
from powerloop.store.database import Database
from powerloop.store.schema import sessions


async def is_head(database: Database, send: Send) -> bool:
    """As `Journal.is_head`."""
    rows = await database.read(select(sessions.c.finished).where(sessions.c.id == send.session_id))
    return bool(rows) and rows[0]["finished"] == send.position - 1
