"""The composition root of a beat: settings in; timers, recovery, upkeep and entries out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from powerloop.client.cancelling import Canceller
from powerloop.client.remote import require_urls
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.sweep import Sweeper, SweepOptions
from powerloop.kernel.timer_loop import TimerLoop, TimerPorts
from powerloop.kernel.upkeep import Upkeep, UpkeepPolicy
from powerloop.queue import open_dispatcher
from powerloop.queue.nudges import RedisNudges
from powerloop.queue.outage import Outage
from powerloop.settings import Settings
from powerloop.store import open_store
from powerloop.timetable import CronTimetable

from .entries import Entries

logger = logging.getLogger("powerloop.beat")

#: One each for what fires, sweeps, keeps house and leads, and one for an upgrade of the schema.
_CONNECTIONS: Final = 5
_RETRY_S: Final = 1.0


class BeatService:
    """Everything that a beat does. It holds nothing: any of it may die at any line.

    Args:
        settings: Where the services are, and how long things are kept.
        entries: Celery's own.

    Raises:
        SettingsInvalid: an address is missing or malformed.
    """

    def __init__(self, settings: Settings, entries: Entries) -> None:
        require_urls(settings)
        self._settings, self._entries = settings, entries
        self._store = open_store(settings.database_url, policy=settings.schema_policy, pool_size=_CONNECTIONS)
        self._dispatcher = open_dispatcher(settings.celery_broker_url, preview=settings.task_preview)
        self._nudges = RedisNudges(settings.redis_url)
        self._outage = Outage(logger, "the database", "nothing is fired or recovered")
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        """Whether it was told to end."""
        return self._ending.is_set()

    def end(self) -> None:
        """Have what runs now return at once."""
        self._ending.set()

    async def run_for(self, seconds: float) -> None:
        """Run for so long, from the first call on in the background.

        Raises:
            SchemaMissing, SchemaOutdated, SchemaNewer: the schema is not what this code needs.
        """
        if not self._tasks:
            await self._unless_ended(self._open())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds if self._tasks else _RETRY_S)
        for task in self._tasks:
            if task.done():
                # A defect: each of them goes on whatever the services do.
                task.result()

    async def stop(self) -> None:
        """End all of it, and let go of every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._entries.resign(self._store.beats)
        await self._dispatcher.close()
        await self._nudges.close()
        await self._store.close()
        logger.info("beat stopped")

    async def _unless_ended(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry the work out, or give it up when this is told to end."""
        working, ending = asyncio.create_task(work), asyncio.create_task(self._ending.wait())
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        else:
            working.result()

    async def _open(self) -> None:
        """Open the store, if its database answers, and start."""
        try:
            await self._store.open()
        except StoreUnavailable as error:
            return self._outage.failed(error)
        self._outage.answered()
        logger.info("beat started", extra={"sweep_s": self._settings.sweep_interval.total_seconds()})
        work: list[Coroutine[Any, Any, None]] = [
            self._timers().run(),
            self._sweeper().run(),
            self._upkeep().run(),
            _repeat(lambda: self._entries.turn(self._store.beats)),
        ]
        self._tasks = [asyncio.create_task(one) for one in work]
        return None

    def _timers(self) -> TimerLoop:
        return TimerLoop(
            TimerPorts(
                timers=self._store.timers,
                beats=self._store.beats,
                recovery=self._store.recovery,
                timetable=CronTimetable(),
                dispatcher=self._dispatcher,
                clock=SystemClock(),
                tell_end=Canceller(self._store, self._dispatcher, self._nudges).tell,
            )
        )

    def _sweeper(self) -> Sweeper:
        return Sweeper(
            self._store.recovery,
            self._store.task_recovery,
            self._store.workflow_recovery,
            self._dispatcher,
            SystemClock(),
            SweepOptions(interval=self._settings.sweep_interval),
        )

    def _upkeep(self) -> Upkeep:
        settings = self._settings
        policy = UpkeepPolicy(sends=settings.keep_sends, timers=settings.keep_timers)
        return Upkeep(self._store.retention, SystemClock(), policy)


async def _repeat(turn: Callable[[], Awaitable[float]]) -> None:
    """Take turns for ever, each as long after the one before as that says."""
    while True:
        try:
            delay = await turn()
        except StoreUnavailable:
            # The sweeper tells of it.
            delay = _RETRY_S
        except Exception:
            logger.exception("entries not sent")
            delay = _RETRY_S
        await asyncio.sleep(delay)
