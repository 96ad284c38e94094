"""Upkeep: what is over for so long that its policy lets it go is removed, a batch at a time.

Any number of processes may do it at once: what one has removed the other does not find.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ports.retention import Retention

logger = logging.getLogger("powerloop.upkeep")

#: Seconds from one look to the next.
_INTERVAL_S: Final = 60.0
#: Between two batches others have their turn.
_PAUSE_S: Final = 0.05
#: Sessions that one batch looks at, and rows that it removes.
_LIMIT: Final = 500
#: Batches of one kind and look.
_BATCHES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepPolicy:
    """How long things are kept."""

    #: Sends that have ended, with their sessions: a session goes as a whole, so long after anything happened
    #: in it. `None`: for ever.
    sends: timedelta | None = None
    #: Timers that are done or cancelled, and what became of ticks; `None`: for ever.
    timers: timedelta | None = timedelta(days=30)


class Upkeep:
    """Keeps house, once a minute."""

    def __init__(self, retention: Retention, clock: Clock, policy: UpkeepPolicy) -> None:
        self._retention = retention
        self._clock = clock
        self._policy = policy

    async def run(self) -> None:
        """Keep house until cancelled. A database that is away is waited for."""
        while True:
            try:
                await self.tidy()
            except StoreUnavailable as error:
                logger.warning("not tidied", extra={"error": str(error)})
            except Exception:
                logger.exception("not tidied")
            await self._clock.sleep(_INTERVAL_S)

    async def tidy(self) -> int:
        """Remove what is to go; how much did.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        removed = 0
        retention, policy = self._retention, self._policy
        if policy.timers is not None:
            removed += await self._in_batches(partial(retention.forget_firings, policy.timers, _LIMIT))
            removed += await self._in_batches(partial(retention.forget_timers, policy.timers, _LIMIT))
        if policy.sends is not None:
            removed += await self._forget_sessions(policy.sends)
        if removed:
            logger.info("tidied", extra={"removed": removed})
        return removed

    async def _in_batches(self, remove: Callable[[], Awaitable[int]]) -> int:
        total = 0
        for _ in range(_BATCHES):
            count = await remove()
            total += count
            if count < _LIMIT:
                break
            await self._clock.sleep(_PAUSE_S)
        return total

    async def _forget_sessions(self, age: timedelta) -> int:
        total = 0
        for _ in range(_BATCHES):
            found = await self._retention.sessions_at_rest(age, _LIMIT)
            for session_id in found.ids:
                total += await self._retention.forget_session(session_id, age)
            if found.is_last:
                break
            await self._clock.sleep(_PAUSE_S)
        return total
