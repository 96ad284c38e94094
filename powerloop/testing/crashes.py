"""Crashes on demand: a process that kills itself where a test wants it to."""

import os
import signal
from difflib import get_close_matches
from itertools import count
from pathlib import Path

from powerloop.kernel.crash_points import CrashPoint, arm
from powerloop.kernel.errors import InvalidInput


def crash_at(point: str | CrashPoint, *, passing: int = 1, once: Path | None = None) -> None:
    """From now on, kill this process by SIGKILL when it passes a crash point. The last call counts.

    Nothing gets to clean up: it is what a machine that is switched off leaves behind.

    Args:
        point: A `CrashPoint`, or its name.
        passing: Which passing from now on is the last, from 1.
        once: A marker file. Where it exists nothing happens; it is written just before the kill, so that of
            all the processes that are told the same one dies, and its successor does not.

    Raises:
        InvalidInput: no point has that name, or `passing` is less than 1.
    """
    wanted = _find_point(point)
    if passing < 1:
        raise InvalidInput(f"passing={passing}: passings are counted from 1.")
    passings = count(1)

    def crash(passed: CrashPoint) -> None:
        if passed is wanted and next(passings) == passing and (once is None or _mark(once)):
            os.kill(os.getpid(), signal.SIGKILL)

    arm(crash)


def _find_point(name: str) -> CrashPoint:
    try:
        return CrashPoint(name)
    except ValueError:
        known = [point.value for point in CrashPoint]
        close = get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
        raise InvalidInput(f"there is no crash point {name!r}.", hint=hint) from None


def _mark(marker: Path) -> bool:
    """Write the marker, for good; false if it is there already."""
    try:
        descriptor = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True
