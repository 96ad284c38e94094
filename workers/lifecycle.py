"""What a worker process opens before its first task and closes after its last. The Celery app carries it."""

import asyncio
from typing import Final, Protocol

from celery import Celery

_ATTRIBUTE: Final = "powerloop_runtime"


class Lifecycle(Protocol):
    """What of a worker process lives on the event loop of its tasks: database pools, clients, listeners.

    All three methods are called in the thread of that loop. There is one start and one stop per process: in
    the asyncio pool around the worker's life, elsewhere from the first coroutine task on.
    """

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open everything; `loop` is the running loop, on which every task of this process will run.

        What it raises ends the worker with exit code 1; in prefork and solo it fails the task that came
        first, and the next task tries again.
        """
        ...

    def begin_drain(self) -> None:
        """Hear that the worker shuts down: no further task begins, and those that run should come to an end.

        Called once, and not at all when the process is killed. Prefork children are not told.
        """
        ...

    async def stop(self) -> None:
        """Close everything. No task runs any more. What it raises is logged."""
        ...


class Idle:
    """The lifecycle of an app that has nothing to open."""

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        pass

    def begin_drain(self) -> None:
        pass

    async def stop(self) -> None:
        pass


def attach_lifecycle(app: Celery, lifecycle: Lifecycle) -> None:
    """Have the processes that run `app`'s tasks start and stop `lifecycle`. Called where the app is made.

    It becomes ``app.powerloop_runtime``, where bound tasks find it.
    """
    setattr(app, _ATTRIBUTE, lifecycle)


def lifecycle_of(app: Celery) -> Lifecycle:
    """The lifecycle that was attached to `app`, or one that does nothing."""
    lifecycle: Lifecycle = getattr(app, _ATTRIBUTE, None) or Idle()
    return lifecycle
