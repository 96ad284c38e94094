"""An event loop in a thread of its own, which other threads give work to."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, Final, Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CANCEL_GRACE_S: Final = 10.0
_CLOSE_GRACE_S: Final = 2.0


class LoopThread:
    """One event loop and the daemon thread that it runs in. It starts and stops once."""

    def __init__(self, name: str, *, blocking_calls: int = 32) -> None:
        """
        Args:
            name: What the thread is called.
            blocking_calls: How many calls of `asyncio.to_thread` may run at once. Threads are made as needed.
        """
        self.loop = asyncio.new_event_loop()
        self._blocking_name = f"{name}-blocking"
        self._executor = ThreadPoolExecutor(blocking_calls, thread_name_prefix=self._blocking_name)
        self.loop.set_default_executor(self._executor)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._stopping = False

    @property
    def ident(self) -> int | None:
        """The thread's identifier; `None` before it starts."""
        return self._thread.ident

    def start(self) -> None:
        """Run the loop from now on."""
        self._thread.start()

    def post(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` in the loop's thread, soon, in the order of the posts. After `stop`: do nothing."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run `coroutine` on the loop, block the calling thread until it ends, and return what it returns.

        Whatever ends the wait early (a signal handler of Celery that raises in the calling thread, say)
        cancels the coroutine, gives it ten seconds to clean up, and is raised.

        Raises:
            TimeoutError: it took longer than `timeout_s`.
            concurrent.futures.CancelledError: it was cancelled on the loop.
        """
        call = _Call(coroutine)
        self.loop.call_soon_threadsafe(call.start, self.loop)
        try:
            return call.outcome.result(timeout_s)
        except BaseException:
            if not call.outcome.done():
                self.post(call.cancel)
                wait([call.outcome], timeout=_CANCEL_GRACE_S)
            raise

    def stop(self) -> bool:
        """Cancel what still runs on the loop and end the thread.

        Returns: whether no blocking call was left behind. A thread that is keeps the interpreter from
        exiting.
        """
        self._stopping = True
        self.post(self.loop.stop)
        deadline = time.monotonic() + 2 * _CLOSE_GRACE_S
        self._thread.join(deadline - time.monotonic())
        self._executor.shutdown(wait=False, cancel_futures=True)
        blocking = [thread for thread in threading.enumerate() if thread.name.startswith(self._blocking_name)]
        for thread in blocking:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in blocking)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopping:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                # asyncio lets these through its tasks. One stray task does not end all the others.
                logger.exception("a background task tried to end the event loop")
        self._close()

    def _close(self) -> None:
        remaining = asyncio.all_tasks(self.loop)
        for task in remaining:
            task.cancel()
        if remaining:
            self.loop.run_until_complete(asyncio.wait(remaining, timeout=_CLOSE_GRACE_S))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class _Call(Generic[T]):
    """A coroutine that one thread runs and another waits for."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._coroutine)
        self._task.add_done_callback(self._settle)

    def cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def _settle(self, task: asyncio.Task[T]) -> None:
        error = CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.outcome.set_result(task.result())
        else:
            self.outcome.set_exception(error)
