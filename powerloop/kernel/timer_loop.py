"""The loop that fires timers: it looks when the next one is due, and once a second for those that are new.

Any number of processes may run it at once, and any of them may die anywhere: a tick fires in one transaction,
and what was not published after it is found by the sweeper.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
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
_MIN_SLEEP_S: Final = 0.002
#: How long no beat must have said that it runs for ticks to count as missed.
AWAY: Final = timedelta(seconds=3)
#: Timers of one transaction.
_LIMIT: Final = 500
#: How often the shortest sleep doubles.
_DOUBLINGS: Final = 9
#: How long what has fired is waited for to be published.
_PUBLISHED_WITHIN_S: Final = 0.5
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
    #: Whose timers are fired; `None`: anybody's.
    agents: Collection[str] | None = None


class TimerLoop:
    """Fires timers."""

    def __init__(self, ports: TimerPorts) -> None:
        self._ports = ports
        #: Whether it is known, by those who look for what was missed, that a beat runs.
        self._is_heard = False
        self._is_away = False
        #: Looks in a row at something due that somebody has locked.
        self._in_vain = 0
        self._outbox: list[Ready] = []
        self._publishing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fire until cancelled. A database that is away is waited for, and told of once."""
        heard = asyncio.create_task(self._be_heard())
        try:
            while True:
                await self._ports.clock.sleep(await self.look())
        finally:
            heard.cancel()
            if self._publishing is not None:
                self._publishing.cancel()

    async def look(self) -> float:
        """`turn`, whatever goes wrong: how many seconds there is nothing to do."""
        try:
            seconds = await self.turn()
        except StoreUnavailable as error:
            if not self._is_away:
                logger.warning("timers not fired", extra={"error": str(error)})
            self._is_away = True
            self._is_heard = False
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
        ports = self._ports
        if not self._is_heard:
            # Before anything fires: it is known then what was missed.
            await ports.beats.alive(AWAY)
            self._is_heard = True
        fired = await ports.timers.fire(ports.timetable, _LIMIT, agents=ports.agents)
        since = ports.clock.monotonic()
        if fired.count or fired.asked:
            passing(CrashPoint.AFTER_FIRE)
        await self._publish([*fired.ready, *fired.asked])
        if fired.count or fired.asked:
            passing(CrashPoint.AFTER_FIRE_PUBLISH)
            logger.info("timers fired", extra={"count": fired.count, "asked": len(fired.asked)})
        for send in fired.ended:
            await ports.tell_end(send)
        if fired.sleeps:
            await self._publish(await ports.recovery.rouse(_ROUSED))
        return max(self._until_next(fired) - (ports.clock.monotonic() - since), 0.0)

    def _until_next(self, fired: Fired) -> float:
        if fired.count or fired.asked or fired.sleeps:
            self._in_vain = 0
        if fired.more:
            if fired.count or fired.asked:
                return 0.0
            self._in_vain += 1
            return min(_MIN_SLEEP_S * 2.0 ** min(self._in_vain - 1, _DOUBLINGS), MAX_SLEEP_S)
        ahead = MAX_SLEEP_S if fired.next_in is None else fired.next_in.total_seconds()
        return min(ahead, MAX_SLEEP_S) if ahead > 0 else _MIN_SLEEP_S

    async def _be_heard(self) -> None:
        """Say each second that a beat runs, whatever else takes its time."""
        while True:
            await self._ports.clock.sleep(MAX_SLEEP_S)
            try:
                if self._is_heard:
                    await self._ports.beats.alive(AWAY)
            except StoreUnavailable:
                # The next look finds out, too, and tells of it.
                self._is_heard = False
            except Exception:
                logger.exception("not said that a beat runs")

    async def _publish(self, ready: Sequence[Ready]) -> None:
        """Publish it, and wait for that for a moment: a broker that is silent must not hold timers up.

        What is not published when this process ends is found by the sweeper.
        """
        self._outbox += ready
        if self._outbox and (self._publishing is None or self._publishing.done()):
            self._publishing = asyncio.create_task(self._empty_outbox())
        if self._publishing is not None:
            await asyncio.wait((self._publishing,), timeout=_PUBLISHED_WITHIN_S)

    async def _empty_outbox(self) -> None:
        while self._outbox:
            ready, self._outbox = self._outbox[:_LIMIT], self._outbox[_LIMIT:]
            if not await self._ports.dispatcher.publish([activation_of(one) for one in ready]):
                # The rows are the outbox, too.
                self._outbox.clear()
