"""The Celery task class whose body may be a coroutine function, in every pool."""

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from celery import Task

from powerloop.kernel.errors import WrongUse

from .greenlets import await_in_greenlet, in_bridge
from .process_loop import process_loop_of, runs_loop


class CoroutineTask(Task):  # type: ignore[misc] # celery has no types
    """A task that is written ``async def``: ``@app.task(base=CoroutineTask)``, bound or not.

    In the asyncio pool it runs on the pool's event loop beside all the others; in prefork, solo and threads
    on one event loop per process. `self.request` is there in its coroutine. It is not there in further
    asyncio tasks that the coroutine starts: pass on what they need.

    When a soft time limit passes, the coroutine sees `asyncio.CancelledError`; Celery records
    `SoftTimeLimitExceeded`. Hard limits, ``revoke(terminate=True)`` and the drain deadline of the asyncio
    pool cancel it too. A coroutine must not swallow its cancellation: one that does is cancelled each
    second, and after ten seconds costs the process.
    """

    abstract = True

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        # The body becomes a plain function here, below everything that Celery lays around it: the tracer, a
        # direct call, ``autoretry_for``.
        if "run" in vars(cls):
            cls.run = _awaiting(vars(cls)["run"])


def _awaiting(run: "Callable[..., object] | staticmethod[..., object]") -> Callable[..., object]:
    bound = not isinstance(run, staticmethod)
    function = run.__func__ if isinstance(run, staticmethod) else run

    @wraps(function)
    def awaited(self: CoroutineTask, *args: object, **kwargs: object) -> object:
        result = function(self, *args, **kwargs) if bound else function(*args, **kwargs)
        return _finish(self, result) if inspect.iscoroutine(result) else result

    return awaited


def _finish(task: CoroutineTask, coroutine: Coroutine[Any, Any, object]) -> object:
    if in_bridge():
        return await_in_greenlet(coroutine)
    if runs_loop():
        coroutine.close()
        raise WrongUse(
            f"task {task.name} is called, and would block, in a running event loop.",
            hint="Send it (task.delay in a thread), or await its function: `await task.__wrapped__(…)`.",
        )
    return process_loop_of(task.app).run(task, coroutine)
