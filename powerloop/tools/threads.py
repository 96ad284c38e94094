"""The threads that blocking tools run in: few, shared, and given up when nobody waits any more.

Not `concurrent.futures`: the interpreter joins its threads at exit, so that one tool that hangs would keep a
worker from stopping. These are daemons.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from threading import Condition, Thread
from typing import Any, Generic, TypeVar, cast

logger = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_LIMIT = 32
#: A thread that has had nothing to do for so long ends.
IDLE_SECONDS = 10.0


class ToolThreads:
    """Runs blocking functions in at most `limit` threads; more wait for their turn, first come, first served.

    A call that is cancelled leaves its thread behind: Python cannot stop it. Such a thread is replaced, so
    that other calls go on, until `limit` of them were left behind: there are never more than twice `limit`.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        # One lock for all that follows.
        self._changed = Condition()
        self._jobs: deque[_Job[Any]] = deque()
        self._alive = 0
        self._idle = 0
        self._abandoned = 0

    @property
    def alive(self) -> int:
        """Threads that exist now, abandoned ones included."""
        return self._alive

    @property
    def abandoned(self) -> int:
        """Threads whose call was cancelled, and that still run it."""
        return self._abandoned

    async def run(
        self,
        function: Callable[[], T],
        *,
        begun: Callable[[], None] | None = None,
        log_fields: Mapping[str, Any],
    ) -> T:
        """Call `function` in a thread, in a copy of the present context, and return or raise what it does.

        Args:
            function: What may block.
            begun: Called on the event loop when a thread has taken the function up.
            log_fields: Extra fields for the log, should the call be cancelled.
        """
        job = _Job(function, asyncio.get_running_loop())
        self._submit(job)
        try:
            await job.begun
            if begun is not None:
                begun()
            await job.ended
        except asyncio.CancelledError:
            self._give_up(job, log_fields)
            raise
        return job.result()

    def _submit(self, job: "_Job[Any]") -> None:
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
                return
            try:
                self._grow()
            except RuntimeError:
                # The machine has no thread left. Those that there are will come to it.
                if not self._alive:
                    self._jobs.remove(job)
                    raise

    def _grow(self) -> None:
        if self._alive < self._allowed:
            Thread(target=self._work, name="powerloop-tool", daemon=True).start()
            self._alive += 1

    @property
    def _allowed(self) -> int:
        return self._limit + min(self._abandoned, self._limit)

    def _give_up(self, job: "_Job[Any]", log_fields: Mapping[str, Any]) -> None:
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
                return
            if job.is_over:
                return
            job.is_abandoned = True
            self._abandoned += 1
            count = self._abandoned
            if self._jobs:
                self._grow()
        level = logging.ERROR if count > self._limit else logging.WARNING
        logger.log(
            level, "tool thread abandoned", extra={**log_fields, "abandoned": count, "limit": self._limit}
        )

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.perform()
            with self._changed:
                job.is_over = True
                self._abandoned -= job.is_abandoned
            job.report()
            # While the thread is idle it keeps nothing of the last call alive.
            del job

    def _next(self) -> "_Job[Any] | None":
        """The job to do next; `None` if this thread is not needed any more."""
        with self._changed:
            while self._alive <= self._allowed:
                if self._jobs:
                    return self._jobs.popleft()
                self._idle += 1
                woken = self._changed.wait(self._idle_seconds)
                self._idle -= 1
                if not woken and not self._jobs:
                    break
            self._alive -= 1
            return None


class _Job(Generic[T]):
    """One function on its way through a thread and back to its event loop."""

    def __init__(self, function: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self._function = function
        self._context = copy_context()
        self._loop = loop
        self._value: T | None = None
        self._error: BaseException | None = None
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        #: Both are written under the lock of the threads.
        self.is_over = False
        self.is_abandoned = False

    def perform(self) -> None:
        self._tell(self.begun)
        try:
            self._value = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller, not to the thread
            self._error = error

    def report(self) -> None:
        self._tell(self.ended)

    def result(self) -> T:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return cast("T", self._value)

    def _tell(self, future: "asyncio.Future[None]") -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, future)
        except RuntimeError:
            # The loop is closed: nobody waits for this call any more.
            logger.debug("tool ended after its event loop")


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
