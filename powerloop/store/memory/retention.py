"""What has been over for long, found and removed, in memory."""

from datetime import timedelta

from powerloop.kernel.ids import SessionId
from powerloop.kernel.ports.retention import AtRest
from powerloop.kernel.timers import MAX_PAUSE_AFTER, Firing, FiringOutcome
from powerloop.store.memory.sessions import MemorySessions
from powerloop.store.memory.state import State


class MemoryRetention:
    """The `Retention` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions = MemorySessions(state)
        self._looked_at = 0

    async def sessions_at_rest(self, age: timedelta, limit: int) -> AtRest:
        since = self._state.clock.now() - age
        late = [
            session.id
            for session in self._state.sessions.values()
            if session.updated_at < since and not (session.origin and session.origin.lifecycle.is_bound)
        ]
        return AtRest(late[self._looked_at : self._looked_at + limit], self._turned(len(late), limit))

    async def forget_session(self, session_id: SessionId, age: timedelta) -> bool:
        since = self._state.clock.now() - age
        if session_id not in self._state.sessions:
            return False
        doomed = self._sessions.with_bound(session_id)
        awake = {timer.session_id for timer in self._state.timers.values() if timer.is_live}
        if any(one.pending or one.updated_at >= since or one.id in awake for one in doomed):
            return False
        await self._sessions.delete(session_id)
        return True

    def _turned(self, count: int, limit: int) -> bool:
        """Whether all have been looked at; what are removed meanwhile are looked past."""
        is_last = self._looked_at + limit >= count
        self._looked_at = 0 if is_last else self._looked_at + limit
        return is_last

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
            if firing.at < since and not self._is_needed(firing)
        ]
        old.sort(key=lambda firing: firing.at)
        for firing in old[:limit]:
            del self._state.firings[firing.timer_id][firing.tick_at]
        return len(old[:limit])

    def _is_needed(self, firing: Firing) -> bool:
        timer = self._state.timers[firing.timer_id]
        is_late = 1 <= firing.number > timer.fires - MAX_PAUSE_AFTER
        return firing.outcome is FiringOutcome.HELD or (timer.is_live and is_late)
