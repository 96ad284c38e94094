"""A job of the asyncio pool: one run of Celery's tracer, and what Celery is told of its end."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelled
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from billiard.einfo import ExceptionInfo
from celery.exceptions import Reject, SoftTimeLimitExceeded, Terminated

from .greenlets import run_in_greenlet

#: Something to be called in the thread of Celery's hub.
Report = Callable[[], object]


class Ending(Enum):
    """Why the pool ends a job that does not end by itself. The first reason stands."""

    #: It took longer than its hard time limit: Celery records a failure.
    HARD_LIMIT = auto()
    #: It was revoked, or the worker shuts down cold.
    TERMINATED = auto()
    #: The worker's drain deadline has passed: the message goes back to the queue.
    DRAINED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What Celery wants to be told; any may be missing."""

    #: ``accept(job id as pid, monotonic seconds)``: the job begins.
    accept: Callable[..., object] | None = None
    #: ``success(what the tracer returned)``. The tracer returns failures too.
    success: Callable[..., object] | None = None
    #: ``error(ExceptionInfo)``: the tracer did not return.
    error: Callable[..., object] | None = None
    #: ``timeout(soft, seconds)``.
    timeout: Callable[..., object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Seconds after which a job is asked to stop (soft), and is ended (hard); `None` or 0: never."""

    soft: float | None = None
    hard: float | None = None


def nothing() -> None:
    """Report nothing."""


class Job:
    """One call of the tracer. Its state is touched in the loop's thread only."""

    def __init__(
        self, job_id: int, name: str, call: Callable[[], object], callbacks: Callbacks, limits: TimeLimits
    ) -> None:
        """
        Args:
            job_id: Stands for the process id that Celery expects; it names the job in `terminate_job`.
            name: The task's id, for the log.
            call: The tracer with its arguments.
            callbacks: Who is told.
            limits: Counted from the job's start.
        """
        self.id = job_id
        self.name = name
        self.limits = limits
        self.task: asyncio.Task[Report] | None = None
        self.timers: list[asyncio.TimerHandle] = []
        self.ending: Ending | None = None
        #: True from the moment that Celery was told of its end.
        self.reported = False
        self._call = call
        self._callbacks = callbacks
        self._soft_limit_passed = False
        self._signal = 0

    def terminate(self, signal: int) -> None:
        """Do nothing: Celery calls this besides `TaskPool.terminate_job`, which does the work."""

    async def run(self) -> Report:
        """Run the tracer and say what Celery is to be told of its end. Never raises."""
        try:
            result = await run_in_greenlet(self._call, self._meaning_of)
        except BaseException as error:  # noqa: BLE001 - SystemExit too is the task's, and not the loop's
            return self.failed(error)
        return partial(self._callbacks.success, result) if self._callbacks.success else nothing

    def accepted(self, at: float) -> Report:
        """Tell Celery that the job begins, at `at` on the monotonic clock."""
        return partial(self._callbacks.accept, self.id, at) if self._callbacks.accept else nothing

    def end(self, ending: Ending, signal: int = 0) -> None:
        """Note why the job is to end; a reason that was given before stands."""
        if self.ending is None:
            self.ending = ending
            self._signal = signal

    def cancel(self) -> None:
        """Raise `CancelledError` where the coroutine is suspended."""
        assert self.task is not None
        self.task.cancel(self.ending.name.lower() if self.ending else "soft_limit")

    def pass_soft_limit(self) -> Report:
        """Cancel the coroutine so that the tracer sees `SoftTimeLimitExceeded`, and tell Celery."""
        self._soft_limit_passed = True
        self.cancel()
        return self._timeout(soft=True)

    def failed(self, error: BaseException) -> Report:
        """What Celery is told when the tracer did not return, but raised `error`."""
        if not isinstance(error, CancelledError):
            return self._error(error)
        match self.ending:
            case Ending.HARD_LIMIT:
                return self._timeout(soft=False)
            case Ending.TERMINATED:
                return self._error(Terminated(self._signal))
            case Ending.DRAINED:
                return self._error(Reject("the worker shuts down", requeue=True))
            case None:
                # Not the pool's doing. Recorded as an ordinary failure, which clients can catch as one.
                return self._error(self._meaning_of(error) or FutureCancelled(str(error)))

    def _meaning_of(self, _cancelled: CancelledError) -> BaseException | None:
        if self.ending is not None or not self._soft_limit_passed:
            return None
        self._soft_limit_passed = False
        if self.task is not None:
            # The cancellation has done its work; what the tracer awaits from here on is not cancelled.
            self.task.uncancel()
        exceeded: BaseException = SoftTimeLimitExceeded(self.limits.soft)
        return exceeded

    def _timeout(self, *, soft: bool) -> Report:
        seconds = self.limits.soft if soft else self.limits.hard
        return partial(self._callbacks.timeout, soft, seconds) if self._callbacks.timeout else nothing

    def _error(self, error: BaseException) -> Report:
        return partial(self._callbacks.error, _with_traceback(error)) if self._callbacks.error else nothing


def _with_traceback(error: BaseException) -> ExceptionInfo:
    try:
        raise error
    except BaseException:  # noqa: BLE001 - it is what was raised on the line above
        return ExceptionInfo()
