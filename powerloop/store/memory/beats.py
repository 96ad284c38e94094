"""What beats know of each other, in memory."""

from datetime import datetime, timedelta

from powerloop.store.memory.state import State


class MemoryBeats:
    """The `Beats` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._leader: tuple[str, datetime] | None = None
        self._runs: dict[str, tuple[datetime, int]] = {}

    async def alive(self, patience: timedelta) -> datetime:
        now, alive_at = self._state.clock.now(), self._state.alive_at
        back_at = self._state.back_at
        if back_at is None or alive_at is None or alive_at < now - patience or back_at > now:
            back_at = self._state.back_at = now
        self._state.alive_at = now
        return back_at

    async def silence(self) -> timedelta | None:
        alive_at = self._state.alive_at
        return None if alive_at is None else self._state.clock.now() - alive_at

    async def lead(self, holder: str, ttl: timedelta) -> bool:
        now = self._state.clock.now()
        if self._leader and self._leader[0] != holder and self._leader[1] >= now:
            return False
        self._leader = (holder, now + ttl)
        return True

    async def resign(self, holder: str) -> None:
        if self._leader and self._leader[0] == holder:
            self._leader = None

    async def last_runs(self) -> dict[str, tuple[datetime, int]]:
        return dict(self._runs)

    async def ran(self, name: str, at: datetime, count: int) -> None:
        self._runs[name] = (at, count)
