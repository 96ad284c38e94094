"""The scheduler of Celery's beat that fires our timers, beside the entries of ``beat_schedule``."""

import asyncio
import signal
import threading
from typing import Any

from celery.beat import Scheduler

from powerloop.kernel.timer_loop import MAX_SLEEP_S
from powerloop.settings import read_settings

from .entries import Entries
from .service import BeatService


class TimerScheduler(Scheduler):  # type: ignore[misc] # Celery has no types
    """Fires timers, recovers, keeps house: ``celery beat -S powerloop.beat:TimerScheduler``.

    All of that lives on an event loop that runs inside `tick`, for a second at a time. Between ticks nothing
    is under way but what waits, so that Celery's beat can be stopped, and pinged, as ever.
    """

    max_interval = MAX_SLEEP_S

    def setup_schedule(self) -> None:
        """Take in the entries of ``beat_schedule``, and make what fires the timers. Nothing is connected yet.

        Raises:
            SettingsInvalid: an address is missing or malformed.
        """
        super().setup_schedule()
        self._service = BeatService(read_settings(), Entries(self))
        self._runner = asyncio.Runner()
        if threading.current_thread() is threading.main_thread():
            # Celery's own handlers raise wherever the loop is; a tick ends in good order.
            for number in (signal.SIGTERM, signal.SIGINT):
                self._runner.get_loop().add_signal_handler(number, self._service.end)

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401, ARG002 - Celery's own
        """Run for a second: whatever is due then is fired when it is due.

        Raises:
            SchemaMissing, SchemaOutdated, SchemaNewer: the schema is not what this code needs.
            SystemExit: the process was sent SIGTERM or SIGINT.
        """
        self._runner.run(self._service.run_for(MAX_SLEEP_S))
        if self._service.has_ended:
            raise SystemExit(0)
        return 0.0

    def tick_entries(self) -> float:
        """Celery's own tick: send one entry that is due; how many seconds none is."""
        delay: float = super().tick()
        return delay

    def forget_heap(self) -> None:
        """Have entries be due by when they last ran, which was just read."""
        self._heap = None

    def close(self) -> None:
        """Let go of everything; if a tick is under way (a signal handler asks), when that has ended."""
        runner = getattr(self, "_runner", None)
        if runner is None or runner.get_loop().is_running():
            return
        del self._runner
        try:
            runner.run(self._service.stop())
        finally:
            runner.close()
            super().close()

    @property
    def info(self) -> str:
        """What beat's banner says of it."""
        return "    . timers -> the database of powerloop; any number of beats may run"
