"""What has been over for long, found and removed, on any database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import and_, delete, exists, or_, select, tuple_

from powerloop.kernel.ids import SessionId
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.timers import FiringOutcome
from powerloop.store.database import Database
from powerloop.store.lateness import ago
from powerloop.store.schema import sessions, timer_firings, timers

_FROM_THE_FIRST = (datetime(1, 1, 1, tzinfo=UTC), "")


class SqlRetention:
    """The `Retention` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_up_to = _FROM_THE_FIRST

    async def sessions_at_rest(self, age: timedelta, limit: int) -> Sequence[SessionId]:
        place = tuple_(sessions.c.created_at, sessions.c.id)
        window = (
            select(sessions.c.id, sessions.c.created_at)
            .where(sessions.c.created_at < ago(age), place > tuple_(*self._looked_up_to))
            .order_by(sessions.c.created_at, sessions.c.id)
            .limit(limit)
        )
        looked_at = await self._database.read(window)
        is_full = len(looked_at) == limit
        last = looked_at[-1] if looked_at else None
        self._looked_up_to = (last["created_at"], last["id"]) if last and is_full else _FROM_THE_FIRST
        below = sessions.alias("below")
        in_it = or_(
            timers.c.session_id == sessions.c.id,
            timers.c.session_id.in_(
                select(below.c.id).where(below.c.parent_id == sessions.c.id).correlate(sessions)
            ),
        )
        at_rest = and_(
            sessions.c.id.in_([row["id"] for row in looked_at]),
            sessions.c.finished == sessions.c.accepted,
            sessions.c.updated_at < ago(age),
            or_(sessions.c.parent_id.is_(None), sessions.c.lifecycle == Lifecycle.DETACHED.value),
            ~exists().where(timers.c.ended_at.is_(None), in_it).correlate(sessions),
        )
        found = await self._database.read(select(sessions.c.id).where(at_rest)) if looked_at else ()
        return [row["id"] for row in found]

    async def forget_timers(self, age: timedelta, limit: int) -> int:
        old = select(timers.c.id).where(timers.c.ended_at < ago(age)).limit(limit)
        removed = delete(timers).where(timers.c.id.in_(old)).returning(timers.c.id)
        return len(await self._database.write(removed))

    async def forget_firings(self, age: timedelta, limit: int) -> int:
        is_over = timer_firings.c.outcome != FiringOutcome.HELD.value
        place = (timer_firings.c.timer_id, timer_firings.c.tick_at)
        old = select(*place).where(timer_firings.c.at < ago(age), is_over).limit(limit)
        removed = delete(timer_firings).where(tuple_(*place).in_(old))
        return len(await self._database.write(removed.returning(timer_firings.c.timer_id)))
