"""Asking for the end of sends that nobody waits for any more. Their sessions are locked."""

from collections.abc import Sequence

from sqlalchemy import update

from powerloop.kernel.ids import SendId
from powerloop.kernel.sends import Send, SendStatus
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.readiness import is_in, readied
from powerloop.store.rows import cancel_row, send_of
from powerloop.store.schema import sends


async def disown(run: Run, send_ids: Sequence[SendId], reason: str) -> list[Send]:
    """Ask for the end of those that have not ended, and nobody has asked; those that no process has, for a
    worker to end them."""
    asked = update(sends).where(sends.c.id.in_(send_ids))
    unasked = asked.where(sends.c.ended_at.is_(None), sends.c.cancel_requested_at.is_(None))
    rows = await run(unasked.values(cancel_row(reason, "", now())).returning(sends.c.id))
    its_own = sends.c.id.in_([row["id"] for row in rows])
    waiting = ~is_in(SendStatus.RUNNING)
    await run(update(sends).where(its_own, waiting).values(readied()))
    rows = await run(SENDS.where(its_own, waiting).order_by(sends.c.dispatched_at, sends.c.id))
    return [send_of(row) for row in rows]
