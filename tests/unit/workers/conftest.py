"""A job runner on the test's own loop, and jobs that write down what Celery is told of them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from powerloop.workers.greenlets import await_in_greenlet
from powerloop.workers.job_runner import JobRunner
from powerloop.workers.jobs import Callbacks, Job, TimeLimits


@dataclass
class Told:
    """What Celery is told, in order."""

    reports: list[tuple[Any, ...]] = field(default_factory=list)

    def note(self, *report: Any) -> None:
        self.reports.append(report)

    def kinds(self, job_id: int) -> list[str]:
        """The kinds of the reports on one job."""
        return [report[0] for report in self.reports if report[1] == job_id]

    def last(self, job_id: int) -> Any:
        """What the last report on a job was about."""
        return next(report[2] for report in reversed(self.reports) if report[1] == job_id)

    def callbacks(self, job_id: int) -> Callbacks:
        def failed(info: Any) -> None:
            self.note("error", job_id, info.exception.exc)

        return Callbacks(
            accept=lambda pid, _at: self.note("accept", pid, None),
            success=lambda result: self.note("success", job_id, result),
            error=failed,
            timeout=lambda soft, seconds: self.note("timeout", job_id, (soft, seconds)),
        )


class Bench:
    """A runner with quick patience, and jobs for it."""

    def __init__(self) -> None:
        self.told = Told()
        self.leaks = 0
        self.runner = self.runner_for(2)

    def runner_for(self, limit: int) -> JobRunner:
        return JobRunner(
            asyncio.get_running_loop(),
            limit,
            lambda report: report(),
            on_leak=self._leaked,
            cancel_again_s=0.02,
            leak_after_s=0.1,
        )

    def job(
        self, job_id: int, body: Callable[[], Coroutine[Any, Any, Any]], limits: TimeLimits | None = None
    ) -> Job:
        """A job whose body is a coroutine function."""

        def call() -> Any:
            return await_in_greenlet(body())

        return Job(job_id, f"task-{job_id}", call, self.told.callbacks(job_id), limits or TimeLimits())

    def _leaked(self) -> None:
        self.leaks += 1


@pytest.fixture
async def bench() -> Bench:
    return Bench()
