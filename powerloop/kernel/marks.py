"""Marks: how far this process has seen the queues taken."""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from powerloop.kernel.queues import Lane


class Dispatched(Protocol):
    """A row that was made ready for a worker."""

    @property
    def lane(self) -> Lane:
        """Where its message lay."""
        ...

    @property
    def dispatched_at(self) -> datetime | None:
        """When it was last made ready."""
        ...


class Marks:
    """Per lane, when the latest row that was claimed here had been dispatched.

    A lane is first in, first out: what was dispatched before its mark and has not started lost its message.
    Noted on the event loop, taken by the heartbeat's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[Lane, datetime] = {}

    def note(self, taken: Dispatched) -> None:
        """The row, as it was before its claim, has been claimed."""
        if taken.dispatched_at is None:
            return
        with self._lock:
            known = self._latest.get(taken.lane)
            if known is None or known < taken.dispatched_at:
                self._latest[taken.lane] = taken.dispatched_at

    def take(self) -> Mapping[Lane, datetime]:
        """What was noted since the last call."""
        with self._lock:
            taken, self._latest = self._latest, {}
        return taken
