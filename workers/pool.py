"""The Celery pool whose tasks are coroutines on one event loop.

``--pool custom`` chooses it where ``CELERY_CUSTOM_WORKER_POOL=powerloop.workers.pool:TaskPool`` is set.
"""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, Final, NoReturn

from celery.concurrency.base import BasePool
from celery.concurrency.prefork import _run_ready_callbacks
from celery.worker import state
from kombu.asynchronous import get_event_loop

from .callbacks import CallbackQueue, Hub
from .exit_codes import ExitCode
from .job_runner import LEAK_AFTER_S, JobRunner
from .jobs import Callbacks, Ending, Job, TimeLimits
from .lifecycle import Lifecycle, lifecycle_of
from .loop_thread import LoopThread
from .pool_options import PoolOptions
from .watchdog import Watchdog

logger = logging.getLogger(__name__)

_PUMP_S: Final = 0.5
_STOP_TIMEOUT_S: Final = 10.0
_EXIT_GRACE_S: Final = 10.0
_MIN_BLOCKING_CALLS: Final = 32


class TaskPool(BasePool):  # type: ignore[misc] # celery has no types
    """One event loop in a thread of its own, beside the main thread in which Celery consumes.

    Celery's tracer is called unchanged, in a greenlet on the loop, so retries, links, time limits,
    revocations and late acknowledgements work as they do in prefork. ``--concurrency`` is how many tasks
    run at once. Code that blocks, in any task, blocks them all: it belongs in `asyncio.to_thread` or on a
    prefork worker. There are no children, so ``worker_max_tasks_per_child`` and its like mean nothing.

    Each method is called in Celery's main thread.
    """

    # A stop waits for the loop's thread, which a signal handler must not do.
    signal_safe = False
    body_can_be_buffer = True

    _running = False
    _draining = False
    _options: PoolOptions
    _lifecycle: Lifecycle
    _thread: LoopThread
    _callbacks: CallbackQueue
    _runner: JobRunner
    _watchdog: Watchdog
    _empty: threading.Event

    # Life

    def on_start(self) -> None:
        """Start the loop and, on it, the app's lifecycle."""
        self._options = PoolOptions.of(self.app.conf)
        self._lifecycle = lifecycle_of(self.app)
        self._thread = LoopThread("powerloop-pool", blocking_calls=max(self.limit, _MIN_BLOCKING_CALLS))
        self._callbacks = CallbackQueue()
        self._runner = JobRunner(
            self._thread.loop, self.limit, self._callbacks.post, on_leak=_replace_this_process
        )
        self._watchdog = Watchdog(self._thread, self._options.watchdog)
        self._empty = threading.Event()
        self._ids = itertools.count(1)
        self._thread.start()
        try:
            self._thread.run(self._lifecycle.start(self._thread.loop))
        except BaseException:
            self._thread.stop()
            self._callbacks.close()
            raise
        self._watchdog.start()
        self._running = True

    def register_with_event_loop(self, loop: Hub) -> None:
        """Have the hub call back. The hub forgets it at each reconnect, and Celery asks again."""
        self._callbacks.register(loop)

    def on_close(self) -> None:
        """Begin no further job. The worker stops consuming now."""
        if self._running and not self._draining:
            self._draining = True
            self._thread.post(self._runner.begin_drain, self._empty.set)
            self._thread.post(self._lifecycle.begin_drain)

    def on_stop(self) -> None:
        """Wait until every job has ended.

        Those that run at the drain deadline go back to the queue; in a cold shutdown, all of them at once.
        """
        if self._running:
            self._finish(timedelta() if state.should_terminate else self._options.drain_timeout)

    def on_terminate(self) -> None:
        """Have every running job go back to the queue at once."""
        if self._running:
            self._finish(timedelta())

    def restart(self) -> NoReturn:
        """Refuse.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("the asyncio pool cannot restart: restart the worker process")

    # Jobs

    def on_apply(
        self,
        target: Callable[..., object],
        args: Sequence[object] | None = None,
        kwargs: Mapping[str, object] | None = None,
        **options: Any,  # noqa: ANN401 - a row of callbacks and numbers
    ) -> Job:
        """Run `target`, now or as soon as a place is free."""
        callbacks = Callbacks(
            accept=options.get("accept_callback"),
            success=options.get("callback"),
            error=options.get("error_callback"),
            timeout=options.get("timeout_callback"),
        )
        limits = TimeLimits(
            soft=options.get("soft_timeout") or self.options.get("soft_timeout"),
            hard=options.get("timeout") or self.options.get("timeout"),
        )
        name = str(options.get("correlation_id") or target)
        job = Job(next(self._ids), name, partial(target, *(args or ()), **(kwargs or {})), callbacks, limits)
        self._thread.post(self._runner.add, job)
        return job

    def terminate_job(self, pid: int, signal: int | None = None) -> None:
        """Cancel the job whose id is `pid`: a revocation, or a cold shutdown."""
        self._thread.post(self._runner.end, pid, Ending.TERMINATED, signal or 0)

    def flush(self) -> None:
        """Forget the jobs that have not begun: the broker connection was lost, their messages come again."""
        if self._running:
            self._thread.post(self._runner.drop_waiting)

    def grow(self, n: int = 1) -> None:
        """Run `n` more jobs at once."""
        self._resize(self.limit + n)

    def shrink(self, n: int = 1) -> None:
        """Run `n` fewer jobs at once; those that run go on.

        Raises:
            ValueError: none would be left.
        """
        if n >= self.limit:
            raise ValueError(f"the pool runs {self.limit} jobs at once and cannot shrink by {n}")
        self._resize(self.limit - n)

    # Under the hood

    def _get_info(self) -> dict[str, Any]:
        return {
            **super()._get_info(),
            "processes": [os.getpid()],
            "timeouts": (self.options.get("soft_timeout") or 0, self.options.get("timeout") or 0),
            "drain-timeout": self._options.drain_timeout.total_seconds(),
            "running": len(self._runner.running),
            "waiting": len(self._runner.waiting),
            "leaked": self._runner.leaked,
        }

    def _resize(self, limit: int) -> None:
        self.limit = limit
        self._thread.post(self._runner.resize, limit)

    def _finish(self, drain_timeout: timedelta) -> None:
        self.on_close()
        self._running = False
        self._drain(drain_timeout.total_seconds())
        try:
            self._thread.run(self._lifecycle.stop(), _STOP_TIMEOUT_S)
        except Exception:
            logger.exception("the worker process could not close everything")
        self._watchdog.stop()
        if not self._thread.stop():
            _exit_soon()
        self._callbacks.close()

    def _drain(self, timeout_s: float) -> None:
        requeue_at = monotonic() + timeout_s
        give_up_at = requeue_at + 2 * LEAK_AFTER_S
        requeued = False
        while not self._empty.is_set() and (now := monotonic()) < give_up_at:
            if now >= requeue_at and not requeued:
                requeued = True
                self._thread.post(self._runner.end_all, Ending.DRAINED)
            self._callbacks.wait(_PUMP_S if requeued else min(_PUMP_S, requeue_at - now))
            self._callbacks.run_pending()
            _pump_hub()
        _pump_hub()


def _pump_hub() -> None:
    """Do what Celery's hub would do if it still ran: broker heartbeats, acknowledgements of ended jobs."""
    hub: Any = get_event_loop()
    if hub is None:
        return
    try:
        hub.fire_timers()
        _run_ready_callbacks(hub)
    except Exception:
        logger.exception("a timer of Celery's hub failed while the pool stops")


def _replace_this_process() -> None:
    """Have the worker shut down in good order, with an exit code that asks for another."""
    if state.should_stop is None:
        state.should_stop = int(ExitCode.LEAKED)


def _exit_soon() -> None:
    """End the process from outside, should a blocking call in a thread keep the interpreter from it."""
    timer = threading.Timer(_EXIT_GRACE_S, os._exit, [int(ExitCode.STUCK)])
    timer.daemon = True
    timer.start()
