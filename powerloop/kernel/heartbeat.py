"""The heartbeat: one thread per process that keeps its lease and locks alive, whatever the loop does.

Each beat also tells the database how far the queues were taken, and hears which sends the process holds.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol

from powerloop.kernel.errors import PowerLoopError
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.ports.lease import Held, Leases
from powerloop.kernel.tool_tasks import HeldTask

logger = logging.getLogger("powerloop.heartbeat")

#: Renewals per lease: three may fail before the lease runs out.
BEATS_PER_TTL = 4


class Renewable(Protocol):
    """Something that must be renewed in time. Blocking."""

    def renew(self) -> None:
        """Renew everything held. Never raises."""
        ...


class Heartbeat:
    """Renews a process's lease and locks from a thread of its own, so that a blocked event loop loses no
    send.

    Args:
        worker: Who is alive.
        leases: Where that is written.
        locks: What is renewed along with it.
        marks: How far this process has seen the queues taken.
        ttl: How long a silent process is thought alive.
        on_dead: Called, from the thread, when no renewal succeeded for `ttl`: others may think us dead, and
        take over.
        on_held: Called, from the thread, with the sends and the tool tasks that the database says run here.
    """

    def __init__(
        self,
        *,
        worker: WorkerId,
        leases: Leases,
        locks: Renewable,
        marks: Marks,
        ttl: timedelta,
        on_dead: Callable[[], None],
        on_held: Callable[[Sequence[Held], Sequence[HeldTask]], None],
    ) -> None:
        self._worker = worker
        self._leases = leases
        self._locks = locks
        self._ttl = ttl
        self._marks = marks
        self._on_dead = on_dead
        self._on_held = on_held
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="powerloop-heartbeat", daemon=True)
        self._renewed_at = 0.0
        self._alive = False

    def start(self) -> None:
        """Be alive. When this returns, claims of this process hold.

        Raises:
            StoreUnavailable: the first renewal failed.
        """
        self._leases.renew(self._worker, self._ttl)
        self._renewed_at = monotonic()
        self._alive = True
        self._thread.start()

    def stop(self) -> None:
        """Be dead at once: others need not wait for the lease to run out."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._leases.release(self._worker)
        except PowerLoopError as error:
            logger.warning("lease not released", extra={"worker": self._worker, "error": str(error)})
        self._leases.close()

    def _run(self) -> None:
        while not self._stopping.wait(self._ttl.total_seconds() / BEATS_PER_TTL):
            self._beat()

    def _beat(self) -> None:
        # Taken before the call: the lease runs from when the database wrote it, which is later.
        began = monotonic()
        try:
            self._leases.renew(self._worker, self._ttl)
        except Exception as error:  # noqa: BLE001 - a machine without a thread to spare, say: the beat goes on
            logger.warning("lease not renewed", extra={"worker": self._worker, "error": str(error)})
            if self._alive and monotonic() - self._renewed_at > self._ttl.total_seconds():
                self._alive = False
                self._on_dead()
        else:
            if not self._alive or began - self._renewed_at > self._ttl.total_seconds():
                # It ran out in between, without our noticing: the process was stopped, or starved.
                if self._alive:
                    self._on_dead()
                logger.warning("lease regained", extra={"worker": self._worker})
            self._alive = True
            self._renewed_at = began
            self._compare()
        self._locks.renew()

    def _compare(self) -> None:
        try:
            if marks := self._marks.take():
                self._leases.raise_marks(marks)
            held = self._leases.held(self._worker)
            tasks = self._leases.held_tasks(self._worker)
        except Exception as error:  # noqa: BLE001 - as above
            logger.warning("sends not compared", extra={"worker": self._worker, "error": str(error)})
        else:
            # What this raises ends the thread: a loop that is closed drives nothing to be kept alive for.
            self._on_held(held, tasks)
