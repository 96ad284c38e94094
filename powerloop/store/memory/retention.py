"""What has been over for long, found and removed, in memory."""

from collections.abc import Sequence
from datetime import timedelta

from powerloop.kernel.ids import SessionId
from powerloop.kernel.sessions import Session
from powerloop.kernel.timers import FiringOutcome
from powerloop.store.memory.state import State


class MemoryRetention:
    """The `Retention` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def sessions_at_rest(self, age: timedelta, limit: int) -> Sequence[SessionId]:
        since = self._state.clock.now() - age
        at_rest = [
            session.id
            for session in self._state.sessions.values()
            if session.updated_at < since and not session.pending and self._is_free(session)
        ]
        return at_rest[:limit]

    async def forget_timers(self, age: timedelta, limit: int) -> int:
        since = self._state.clock.now() - age
        old = [one.id for one in self._state.timers.values() if one.ended_at and one.ended_at < since]
        for timer_id in old[:limit]:
            del self._state.timers[timer_id]
            self._state.firings.pop(timer_id, None)
        return len(old[:limit])

    async def forget_firings(self, age: timedelta, limit: int) -> int:
        since = self._state.clock.now() - age
        old = [
            firing
            for firings in self._state.firings.values()
            for firing in firings.values()
            if firing.at < since and firing.outcome is not FiringOutcome.HELD
        ]
        for firing in old[:limit]:
            del self._state.firings[firing.timer_id][firing.tick_at]
        return len(old[:limit])

    def _is_free(self, session: Session) -> bool:
        """Whether it is bound to none, and nothing will wake it or those below it."""
        if session.origin is not None and session.origin.lifecycle.is_bound:
            return False
        awake = [timer.session_id for timer in self._state.timers.values() if timer.is_live]
        below = {
            one.id
            for one in self._state.sessions.values()
            if one.origin and one.origin.parent_id == session.id
        }
        return not any(one == session.id or one in below for one in awake)
