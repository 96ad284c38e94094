"""The event loop of a process whose pool has none: prefork, solo, threads, and tasks called eagerly."""

import asyncio
import logging
import os
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from celery import Celery, Task, signals
from celery.app.task import Context

from .greenlets import await_in_greenlet, run_in_greenlet
from .lifecycle import Lifecycle, lifecycle_of
from .loop_thread import LoopThread

logger = logging.getLogger(__name__)

T = TypeVar("T")

_ATTRIBUTE: Final = "powerloop_process_loop"
_STOP_TIMEOUT_S: Final = 10.0


class ProcessLoop:
    """Runs coroutines, one loop per process, so that what is bound to a loop stays usable from task to task.

    The loop and the app's lifecycle start with the first coroutine, once more in a forked child, and stop
    with the worker.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._mutex = threading.Lock()
        self._process: int | None = None
        self._thread: LoopThread | None = None
        self._lifecycle: Lifecycle | None = None

    def run(self, task: Task, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` for `task`, with the task's present request, and block until it ends.

        Raises what the coroutine raises, and what the lifecycle raises when it cannot start.
        """
        request = task.request_stack.top
        try:
            thread = self._started()
        except BaseException:
            coroutine.close()
            raise
        return thread.run(_with_request(task, request, coroutine))

    def _started(self) -> LoopThread:
        with self._mutex:
            if self._thread is None or self._process != os.getpid():
                self._start()
            assert self._thread is not None
            return self._thread

    def _start(self) -> None:
        thread = LoopThread("powerloop-process")
        lifecycle = lifecycle_of(self._app)
        thread.start()
        try:
            thread.run(lifecycle.start(thread.loop))
        except BaseException:
            thread.stop()
            raise
        self._thread, self._lifecycle, self._process = thread, lifecycle, os.getpid()
        # Each is sent in one kind of process: the worker's main one, or a child of prefork.
        signals.worker_shutting_down.connect(self._begin_drain, weak=False)
        signals.worker_shutdown.connect(self._stop, weak=False)
        signals.worker_process_shutdown.connect(self._stop, weak=False)

    def _begin_drain(self, **_: object) -> None:
        if self._thread and self._lifecycle and self._process == os.getpid():
            self._thread.post(self._lifecycle.begin_drain)

    def _stop(self, **_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is None or self._lifecycle is None or self._process != os.getpid():
            return
        try:
            thread.run(self._lifecycle.stop(), _STOP_TIMEOUT_S)
        except Exception:
            logger.exception("the worker process could not close everything")
        thread.stop()


def process_loop_of(app: Celery) -> ProcessLoop:
    """The process loop that `app` carries."""
    # One step even between threads.
    loop: ProcessLoop = vars(app).setdefault(_ATTRIBUTE, ProcessLoop(app))
    return loop


async def _with_request(task: Task, request: Context | None, coroutine: Coroutine[Any, Any, T]) -> T:
    def in_greenlet() -> T:
        if request is None:
            return await_in_greenlet(coroutine)
        # Celery keeps the request per greenlet, and this is another one than the tracer's.
        task.request_stack.push(request)
        try:
            return await_in_greenlet(coroutine)
        finally:
            task.request_stack.pop()

    return await run_in_greenlet(in_greenlet)


def runs_loop() -> bool:
    """Whether the calling thread runs an event loop, which a blocking call would stop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
