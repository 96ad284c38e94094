"""Runs jobs on the event loop, so many at a time, and ends those that must end."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

from .jobs import Ending, Job, Report

logger = logging.getLogger(__name__)

#: A coroutine that swallows its cancellation is cancelled again after so many seconds…
CANCEL_AGAIN_S: Final = 1.0
#: … and given up after so many.
LEAK_AFTER_S: Final = 10.0


class JobRunner:
    """The jobs of one pool. Its methods are called in the loop's thread only."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: int,
        post: Callable[[Report], None],
        *,
        on_leak: Callable[[], None],
        cancel_again_s: float = CANCEL_AGAIN_S,
        leak_after_s: float = LEAK_AFTER_S,
    ) -> None:
        """
        Args:
            loop: Where the jobs run.
            limit: How many run at once; the others wait for their turn.
            post: Carries a report to the thread of Celery's hub, where reports are made in order.
            on_leak: Called when a coroutine was given up: it goes on, until the process ends.
            cancel_again_s: Seconds between two cancellations of a job that must end.
            leak_after_s: Seconds from the first cancellation until the job is given up.
        """
        #: Jobs that Celery has been told to have begun, and not to have ended.
        self.running: dict[int, Job] = {}
        self.waiting: deque[Job] = deque()
        self.leaked = 0
        self._loop = loop
        self._limit = limit
        self._post = post
        self._on_leak = on_leak
        self._cancel_again_s = cancel_again_s
        self._leak_after_s = leak_after_s
        self._when_empty: Report | None = None

    def add(self, job: Job) -> None:
        """Start `job`, or have it wait for its turn. While draining, leave it: its message comes again."""
        if self._when_empty is None:
            self.waiting.append(job)
            self._fill()

    def resize(self, limit: int) -> None:
        """Run `limit` jobs at once from now on. Those that run go on."""
        self._limit = limit
        self._fill()

    def drop_waiting(self) -> None:
        """Forget the jobs that have not begun. Their messages are delivered again."""
        self.waiting.clear()

    def begin_drain(self, when_empty: Report) -> None:
        """Begin no further job, and post `when_empty` behind the last report of the last one."""
        if self._when_empty is None:
            self._when_empty = when_empty
            self.drop_waiting()
            self._post_when_empty()

    def end(self, job_id: int, ending: Ending, signal: int = 0) -> None:
        """End a job; nothing happens if it has ended, or is already told to end."""
        job = self.running.get(job_id)
        if job and job.ending is None:
            job.end(ending, signal)
            self._press(job, give_up_at=self._loop.time() + self._leak_after_s)

    def end_all(self, ending: Ending) -> None:
        """End every job that runs."""
        for job_id in list(self.running):
            self.end(job_id, ending)

    def _fill(self) -> None:
        while self.waiting and len(self.running) < self._limit:
            self._start(self.waiting.popleft())

    def _start(self, job: Job) -> None:
        self.running[job.id] = job
        self._post(job.accepted(monotonic()))
        if job.limits.soft:
            job.timers.append(self._loop.call_later(job.limits.soft, self._pass_soft_limit, job))
        if job.limits.hard:
            job.timers.append(self._loop.call_later(job.limits.hard, self.end, job.id, Ending.HARD_LIMIT))
        job.task = self._loop.create_task(job.run(), name=job.name)
        # Not in the coroutine itself: one that is cancelled before its first step never runs.
        job.task.add_done_callback(partial(self._ended, job))

    def _pass_soft_limit(self, job: Job) -> None:
        if job.ending is None:
            self._post(job.pass_soft_limit())

    def _press(self, job: Job, give_up_at: float) -> None:
        if job.reported:
            return
        if self._loop.time() >= give_up_at:
            self._give_up(job)
            return
        job.cancel()
        job.timers.append(self._loop.call_later(self._cancel_again_s, self._press, job, give_up_at))

    def _give_up(self, job: Job) -> None:
        self.leaked += 1
        logger.critical(
            "a coroutine goes on though it was cancelled for %g s; the process will be replaced",
            self._leak_after_s,
            extra={"task_id": job.name},
        )
        self._report(job, job.failed(asyncio.CancelledError()))
        self._on_leak()

    def _ended(self, job: Job, task: asyncio.Task[Report]) -> None:
        report = job.failed(asyncio.CancelledError()) if task.cancelled() else task.result()
        if not job.reported:
            self._report(job, report)

    def _report(self, job: Job, report: Report) -> None:
        job.reported = True
        for timer in job.timers:
            timer.cancel()
        del self.running[job.id]
        self._post(report)
        self._fill()
        self._post_when_empty()

    def _post_when_empty(self) -> None:
        if self._when_empty and not self.running:
            self._post(self._when_empty)
