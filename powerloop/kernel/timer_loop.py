"""The loop that fires timers: it looks when the next one is due, and once a second for those that are new.

Any number of processes may run it at once, and any of them may die anywhere: a tick fires in one transaction,
and what was not published after it is found by the sweeper.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from powerloop.kernel.clock import Clock
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.dispatch import Ready, activation_of
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.recovery import Recovery
from powerloop.kernel.ports.timers import Beats, Fired, Timers
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send

logger = logging.getLogger("powerloop.timers")

#: The longest between two looks, in seconds: a timer that is new and due sooner is seen then.
MAX_SLEEP_S: Final = 1.0
#: The shortest, where something due is locked by somebody.
_MIN_SLEEP_S: Final = 0.02
#: How long no beat must have said that it runs for ticks to count as missed.
AWAY: Final = timedelta(seconds=3)
#: Timers of one transaction.
_LIMIT: Final = 500
#: Calls that have slept, of one transaction.
_ROUSED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerPorts:
    """What the loop works with."""

    timers: Timers
    beats: Beats
    #: Ends the sleeps of tool calls, which are due as timers are.
    recovery: Recovery
    timetable: Timetable
    dispatcher: Dispatcher
    clock: Clock
    #: Tells whoever runs a send that it is asked to end.
    tell_end: Callable[[Send], Awaitable[object]]


class TimerLoop:
    """Fires timers."""

    def __init__(self, ports: TimerPorts) -> None:
        self._ports = ports
        self._said_alive_at = float("-inf")
        self._is_away = False

    async def run(self) -> None:
        """Fire until cancelled. A database that is away is waited for, and told of once."""
        while True:
            await self._ports.clock.sleep(await self.look())

    async def look(self) -> float:
        """`turn`, whatever goes wrong: how many seconds there is nothing to do."""
        try:
            seconds = await self.turn()
        except StoreUnavailable as error:
            if not self._is_away:
                logger.warning("timers not fired", extra={"error": str(error)})
            self._is_away = True
            return MAX_SLEEP_S
        except Exception:
            # A defect must not end a beat.
            logger.exception("timers not fired")
            return MAX_SLEEP_S
        if self._is_away:
            logger.info("firing timers again")
        self._is_away = False
        return seconds

    async def turn(self) -> float:
        """Fire what is due; how many seconds there is nothing to do.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self._say_alive()
        fired = await self._ports.timers.fire(self._ports.timetable, _LIMIT)
        if fired.count or fired.asked:
            passing(CrashPoint.AFTER_FIRE)
        await self._publish(fired)
        if fired.count or fired.asked:
            passing(CrashPoint.AFTER_FIRE_PUBLISH)
            logger.info("timers fired", extra={"count": fired.count, "asked": len(fired.asked)})
        if fired.more:
            return 0.0 if fired.count or fired.asked else _MIN_SLEEP_S
        ahead = MAX_SLEEP_S if fired.next_in is None else fired.next_in.total_seconds()
        return min(max(ahead, _MIN_SLEEP_S if ahead <= 0 else 0.0), MAX_SLEEP_S)

    async def _say_alive(self) -> None:
        """Say that a beat runs, once a second: before anything fires, so that it is known what was missed."""
        now = self._ports.clock.monotonic()
        if now - self._said_alive_at >= MAX_SLEEP_S:
            await self._ports.beats.alive(AWAY)
            self._said_alive_at = now

    async def _publish(self, fired: Fired) -> None:
        slept = await self._ports.recovery.rouse(_ROUSED) if fired.sleeps else ()
        ready: list[Ready] = [*fired.ready, *fired.asked, *slept]
        if ready:
            await self._ports.dispatcher.publish([activation_of(one) for one in ready])
        for send in fired.ended:
            await self._ports.tell_end(send)
