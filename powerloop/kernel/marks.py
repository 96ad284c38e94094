"""Marks: how far this process has seen the queue taken."""

import threading
from collections.abc import Mapping
from datetime import datetime

from powerloop.kernel.sends import Send


class Marks:
    """Per priority, when the latest send that was claimed here had been dispatched.

    A queue is first in, first out: a send that was dispatched before its mark and has not started lost its
    message. Noted on the event loop, taken by the heartbeat's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[int, datetime] = {}

    def note(self, send: Send) -> None:
        """The send, as it was before its claim, has been claimed."""
        if send.dispatched_at is None:
            return
        with self._lock:
            known = self._latest.get(send.priority)
            if known is None or known < send.dispatched_at:
                self._latest[send.priority] = send.dispatched_at

    def take(self) -> Mapping[int, datetime]:
        """What was noted since the last call."""
        with self._lock:
            taken, self._latest = self._latest, {}
        return taken
