"""Notices an event loop that does not answer: tells where it hangs, and in the end gives the process up."""

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Final

from .exit_codes import ExitCode
from .loop_thread import LoopThread

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.5
_HEARTBEAT_S: Final = 5.0
_LAST_WORDS_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogOptions:
    """What a watchdog puts up with."""

    #: A loop that is silent for so long has its stack logged, once per stall.
    warn_after: timedelta = timedelta(seconds=2)
    #: A loop that is silent for so long ends the process, with exit code `ExitCode.STALLED`.
    exit_after: timedelta = timedelta(seconds=60)
    #: A file that is touched every five seconds while the loop answers, for liveness probes.
    heartbeat_file: Path | None = None


class Notice(Enum):
    """What a tick of the watchdog brings to light."""

    #: Nothing new.
    NONE = auto()
    #: The loop has been silent for longer than `warn_after`.
    STALLED = auto()
    #: The loop answers again.
    RECOVERED = auto()
    #: The loop has been silent for longer than `exit_after`.
    LOST = auto()


class LagMeter:
    """How long a loop has been silent.

    Silence is counted in the watchdog's own ticks: while the whole process stands still (``SIGSTOP``, a
    suspended machine) the watchdog does too, and the loop is not blamed for it.
    """

    def __init__(self, options: WatchdogOptions, tick_s: float) -> None:
        self.silent_s = 0.0
        self._options = options
        self._tick_s = tick_s
        self._told = False

    def observe(self, *, answered: bool, elapsed_s: float) -> Notice:
        """Take note of one tick, `elapsed_s` after the last, and of whether the loop has answered since."""
        if answered:
            recovered, self._told, self.silent_s = self._told, False, 0.0
            return Notice.RECOVERED if recovered else Notice.NONE
        self.silent_s += min(elapsed_s, 2 * self._tick_s)
        if self.silent_s > self._options.exit_after.total_seconds():
            return Notice.LOST
        if self._told or self.silent_s <= self._options.warn_after.total_seconds():
            return Notice.NONE
        self._told = True
        return Notice.STALLED


class Watchdog:
    """A thread that asks a loop twice a second whether it still turns."""

    def __init__(
        self,
        watched: LoopThread,
        options: WatchdogOptions,
        *,
        tick_s: float = _TICK_S,
        give_up: Callable[[int], object] = os._exit,
    ) -> None:
        """
        Args:
            watched: The loop, in its thread.
            options: What is put up with.
            tick_s: Seconds between two questions.
            give_up: Ends the process with an exit code, at once.
        """
        self._watched = watched
        self._options = options
        self._tick_s = tick_s
        self._give_up = give_up
        self._meter = LagMeter(options, tick_s)
        self._answered = threading.Event()
        self._stopped = threading.Event()
        self._touched_at = float("-inf")
        self._thread = threading.Thread(target=self._watch, name="powerloop-watchdog", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        self._watched.post(self._answered.set)
        asked_at = time.monotonic()
        while not self._stopped.wait(self._tick_s):
            now = time.monotonic()
            answered = self._answered.is_set()
            self._react(self._meter.observe(answered=answered, elapsed_s=now - asked_at))
            asked_at = now
            if answered:
                self._beat(now)
                self._answered.clear()
                self._watched.post(self._answered.set)

    def _react(self, notice: Notice) -> None:
        match notice:
            case Notice.STALLED:
                _say(logging.ERROR, "the event loop does not answer; it is at:\n%s", self._stack())
            case Notice.RECOVERED:
                _say(logging.WARNING, "the event loop answers again")
            case Notice.LOST:
                lost = "the event loop is lost, and the process with it; it is at:\n%s"
                _say(logging.CRITICAL, lost, self._stack()).join(_LAST_WORDS_S)
                self._give_up(int(ExitCode.STALLED))
            case Notice.NONE:
                pass

    def _stack(self) -> str:
        # The one way to see where another thread is.
        frame = sys._current_frames().get(self._watched.ident or 0)  # noqa: SLF001
        return "".join(traceback.format_stack(frame)) if frame else "(no stack)"

    def _beat(self, now: float) -> None:
        if self._options.heartbeat_file is None or now - self._touched_at < _HEARTBEAT_S:
            return
        try:
            self._options.heartbeat_file.touch()
            self._touched_at = now
        except OSError:
            logger.exception("the heartbeat file cannot be touched")


def _say(level: int, message: str, *args: object) -> threading.Thread:
    # In a thread of its own: the log may be the very thing on which the loop hangs, with its lock held.
    thread = threading.Thread(target=logger.log, args=(level, message, *args), daemon=True)
    thread.start()
    return thread
