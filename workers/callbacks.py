"""Carries callbacks from the event loop's thread to the thread of Celery's hub, in order."""

import logging
import select
import socket
from collections import deque
from contextlib import suppress
from typing import Protocol

from .jobs import Report

logger = logging.getLogger(__name__)


class Hub(Protocol):
    """What is needed of kombu's event loop."""

    def add_reader(self, fds: object, callback: object, *args: object) -> object:
        """Call `callback` whenever `fds` can be read."""
        ...

    def remove(self, fd: object) -> None:
        """Forget a file descriptor."""
        ...


class CallbackQueue:
    """A queue whose reader is woken through a socket.

    The hub has `call_soon`, but calls that arrive there during a callback, as acknowledgements do, wait
    until the poller returns: up to a second each. Callbacks made by a reader of the hub have them done at
    once.
    """

    def __init__(self) -> None:
        self._queue: deque[Report] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._signalled = False
        self._hub: Hub | None = None

    def register(self, hub: Hub) -> None:
        """Have `hub` make the calls. To be repeated whenever the hub was reset."""
        self._hub = hub
        hub.add_reader(self._reader, self.run_pending)

    def post(self, callback: Report) -> None:
        """Have the hub's thread call `callback`. From any thread; never blocks.

        A worker without a hub (its broker cannot be polled) gets the call here and now, as Celery's own
        thread pool has it.
        """
        if self._hub is None:
            self._call(callback)
        else:
            self._queue.append(callback)
        if not self._signalled:
            self._signalled = True
            with suppress(OSError):
                self._writer.send(b"\0")

    def run_pending(self) -> None:
        """Make the calls that were posted. One that fails is logged and does not stop the others."""
        with suppress(OSError):
            self._reader.recv(4096)
        # From here on a post signals again; what was posted before is in the queue.
        self._signalled = False
        while self._queue:
            self._call(self._queue.popleft())

    def wait(self, timeout_s: float) -> None:
        """Block until something was posted, or for `timeout_s`. For the time when the hub does not run."""
        select.select([self._reader], [], [], max(0.0, timeout_s))

    def close(self) -> None:
        """Take no more."""
        if self._hub is not None:
            with suppress(OSError, ValueError):
                self._hub.remove(self._reader)
        self._reader.close()
        self._writer.close()

    def _call(self, callback: Report) -> None:
        try:
            callback()
        except MemoryError:
            # Celery raises it when a task ran out of memory, and means the worker to end.
            raise
        except Exception:
            logger.exception("a callback of Celery failed")
