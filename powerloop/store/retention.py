"""What has been over for long, found and removed, on any database."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Tuple, and_, delete, exists, literal, or_, select, tuple_

from powerloop.kernel.ids import SessionId
from powerloop.kernel.ports.retention import AtRest
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.timers import MAX_PAUSE_AFTER, FiringOutcome
from powerloop.store.columns import Instant
from powerloop.store.database import Database
from powerloop.store.lateness import ago
from powerloop.store.schema import sessions, timer_firings, timers
from powerloop.store.sessions import lock_with_bound

_IS_UNBOUND = or_(sessions.c.parent_id.is_(None), sessions.c.lifecycle == Lifecycle.DETACHED.value)
_FROM_THE_FIRST = (datetime(1, 1, 1, tzinfo=UTC), "")


class SqlRetention:
    """The `Retention` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looked_up_to = _FROM_THE_FIRST

    async def sessions_at_rest(self, age: timedelta, limit: int) -> AtRest:
        place = tuple_(sessions.c.created_at, sessions.c.id)
        is_late = sessions.c.updated_at < ago(age)
        window = (
            select(sessions.c.id, sessions.c.created_at, is_late.label("is_late"))
            .where(sessions.c.created_at < ago(age), place > self._edge(), _IS_UNBOUND)
            .order_by(sessions.c.created_at, sessions.c.id)
            .limit(limit)
        )
        looked_at = await self._database.read(window)
        is_last = len(looked_at) < limit
        last = None if is_last else looked_at[-1]
        self._looked_up_to = (last["created_at"], last["id"]) if last else _FROM_THE_FIRST
        return AtRest([row["id"] for row in looked_at if row["is_late"]], is_last)

    def _edge(self) -> Tuple:
        """Where the next look begins."""
        at, session_id = self._looked_up_to
        return tuple_(literal(at, Instant()), literal(session_id))

    async def forget_session(self, session_id: SessionId, age: timedelta) -> bool:
        async with self._database.transaction() as run:
            ids = await lock_with_bound(run, session_id)
            its = select(sessions.c.id).where(sessions.c.id.in_(ids))
            is_used = or_(
                sessions.c.finished != sessions.c.accepted,
                sessions.c.updated_at >= ago(age),
                exists().where(timers.c.session_id == sessions.c.id, timers.c.ended_at.is_(None)),
            )
            if not ids or await run(its.where(is_used).limit(1)):
                return False
            # What was bound to them while we waited for their locks is found now.
            if set(await lock_with_bound(run, session_id)) != set(ids):
                return False
            await run(delete(sessions).where(sessions.c.id.in_(ids)))
        return True

    async def forget_timers(self, age: timedelta, limit: int) -> int:
        old = select(timers.c.id).where(timers.c.ended_at < ago(age)).limit(limit)
        removed = delete(timers).where(timers.c.id.in_(old)).returning(timers.c.id)
        return len(await self._database.write(removed))

    async def forget_firings(self, age: timedelta, limit: int) -> int:
        place = (timer_firings.c.timer_id, timer_firings.c.tick_at)
        its_timer = exists().where(timers.c.id == timer_firings.c.timer_id, timers.c.ended_at.is_(None))
        # By which failures in a row are counted.
        is_late = timer_firings.c.number > timers.c.fires - MAX_PAUSE_AFTER
        is_needed = or_(
            timer_firings.c.outcome == FiringOutcome.HELD.value,
            and_(timer_firings.c.number >= 1, its_timer.where(is_late)),
        )
        old = select(*place).where(timer_firings.c.at < ago(age), ~is_needed).order_by(timer_firings.c.at)
        old = old.limit(limit)
        removed = delete(timer_firings).where(tuple_(*place).in_(old))
        return len(await self._database.write(removed.returning(timer_firings.c.timer_id)))
