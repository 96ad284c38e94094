"""The entries of Celery's own ``beat_schedule``: sent by the one beat that leads, which is told by a lease.

When each was last sent is written down, so that the next leader goes on where the last one was, rather than
begin each interval anew. Whoever loses the lead in the middle of sending one may send it beside the next
leader: once, in a failover. Use timers where that matters.
"""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Protocol

from uuid6 import uuid7

from powerloop.kernel.ports.timers import Beats

logger = logging.getLogger("powerloop.beat")

#: How long the lead of a beat that has gone silent lasts.
_LEAD_TTL: Final = timedelta(seconds=5)
#: Entries that are sent before the lead is renewed.
_AT_ONCE: Final = 100


class EntryScheduler(Protocol):
    """What of Celery's scheduler we drive."""

    @property
    def schedule(self) -> Any: ...  # noqa: ANN401 - entries by name

    def tick_entries(self) -> float:
        """Send one entry that is due; how many seconds none is."""
        ...

    def forget_heap(self) -> None:
        """Have all be looked at anew."""
        ...


class Entries:
    """Sends entries while this process leads."""

    def __init__(self, scheduler: EntryScheduler) -> None:
        self._scheduler = scheduler
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid7().hex[-8:]}"
        self._leads = False

    async def turn(self, beats: Beats) -> float:
        """Send what is due, if this process leads; how many seconds there is nothing to do.

        Raises:
            StoreUnavailable: the database does not answer: nobody leads.
        """
        schedule = self._scheduler.schedule
        if not schedule:
            return 1.0
        led, self._leads = self._leads, False
        if not await beats.lead(self._holder, _LEAD_TTL):
            return 1.0
        self._leads = True
        if not led:
            await self._take_over(beats)
        delay = 0.0
        for _ in range(_AT_ONCE):
            delay = await self._tick(beats)
            if delay > 0:
                break
        return min(delay, 1.0)

    async def _tick(self, beats: Beats) -> float:
        """Send one entry that is due, and write that down; how many seconds none is."""
        schedule = self._scheduler.schedule
        before = _counts(schedule)
        try:
            delay = await _apart(self._scheduler.tick_entries)
        except Exception:
            # Celery takes an entry off its heap before it sends it.
            self._scheduler.forget_heap()
            raise
        for name, count in _counts(schedule).items():
            if before.get(name) != count:
                await beats.ran(name, schedule[name].last_run_at, count)
        return delay

    async def resign(self, beats: Beats) -> None:
        """Let another one lead at once."""
        if self._leads:
            await beats.resign(self._holder)

    async def _take_over(self, beats: Beats) -> None:
        """Go on where the last leader was."""
        logger.info("leading", extra={"entries": len(self._scheduler.schedule)})
        known = await beats.last_runs()
        for name, entry in self._scheduler.schedule.items():
            if name in known:
                entry.last_run_at, entry.total_run_count = known[name]
            else:
                # Its first interval begins now, however often beats are started until it is over.
                await beats.ran(name, entry.last_run_at, entry.total_run_count)
        self._scheduler.forget_heap()


async def _apart(work: Callable[[], float]) -> float:
    """Do the work in a thread of its own, which nobody waits for at the end of the process: a broker that is
    away blocks its caller, and may hold up neither timers nor a shutdown."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[float] = loop.create_future()

    def conclude(delay: float, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(delay)
        else:
            done.set_exception(error)

    def run() -> None:
        delay, failed = 0.0, None
        try:
            delay = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
        # The loop may be closed by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(conclude, delay, failed)

    threading.Thread(target=run, name="powerloop-entries", daemon=True).start()
    return await done


def _counts(schedule: Any) -> dict[str, int]:  # noqa: ANN401 - entries by name
    return {name: entry.total_run_count for name, entry in schedule.items()}
