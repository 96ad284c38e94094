"""Timers whose sessions take no sends any more: they are cancelled where the sessions are closed."""

from collections.abc import Sequence

from sqlalchemy import update

from powerloop.kernel.ids import SessionId
from powerloop.kernel.timers import SESSION_CLOSED, TimerStatus
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.schema import timers


async def cancel_timers(run: Run, session_ids: Sequence[SessionId]) -> None:
    """Cancel the live timers of these sessions, which are locked."""
    live = update(timers).where(timers.c.session_id.in_(session_ids), timers.c.ended_at.is_(None))
    await run(
        live.values(
            status=TimerStatus.CANCELLED.value,
            reason=SESSION_CLOSED,
            tick_at=None,
            due_at=None,
            asked_at=None,
            held_at=None,
            ended_at=now(),
        )
    )
