"""The sweeper: finds sends, tool tasks and runs that nobody drives, and publishes them again; and ends the
time of questions and sleeps.

Any number of processes may sweep at once, and any of them may die anywhere: what was stamped and not
published is found again as overtaken or overdue.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from powerloop.kernel.clock import Clock
from powerloop.kernel.dispatch import Ready, activation_of
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.recovery import Recovery
from powerloop.kernel.ports.tool_tasks import TaskRecovery
from powerloop.kernel.ports.workflows import WorkflowRecovery
from powerloop.kernel.queues import SEND_QUEUES, Lane, QueueName

logger = logging.getLogger("powerloop.sweeper")

#: Sends per kind and sweep.
_LIMIT: Final = 1_000

#: Sweeps from one look for what is rarely there to the next.
_RARELY: Final = 10

#: Leases are kept so long after they ran out, for people who ask what became of a worker.
_LEASES_KEPT: Final = timedelta(hours=1)

#: A cancel is remembered so long for the send that it came before.
_CANCELS_KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """When a send counts as lost."""

    #: Between two sweeps.
    interval: timedelta = timedelta(seconds=1)
    #: How much later than a send another one must have been dispatched, and claimed, for the first to have
    #: lost its message. Covers the time from a commit to its message, and from a message to its claim.
    margin: timedelta = timedelta(seconds=5)
    #: How long a send waits for its claim though its queue is empty.
    age: timedelta = timedelta(seconds=5)


class Sweeper:
    """Sweeps once a second."""

    def __init__(
        self,
        recovery: Recovery,
        tasks: TaskRecovery,
        workflows: WorkflowRecovery,
        dispatcher: Dispatcher,
        clock: Clock,
        options: SweepOptions | None = None,
    ) -> None:
        self._recovery = recovery
        self._tasks = tasks
        self._workflows = workflows
        self._dispatcher = dispatcher
        self._clock = clock
        self._options = options or SweepOptions()
        self._sweeps = 0

    async def run(self) -> None:
        """Sweep until cancelled. A service that is away is waited for, and told of once."""
        away = False
        while True:
            began = self._clock.monotonic()
            try:
                await self.sweep()
            except StoreUnavailable as error:
                if not away:
                    logger.warning("not swept", extra={"error": str(error)})
                away = True
            else:
                if away:
                    logger.info("sweeping again")
                away = False
            spent = self._clock.monotonic() - began
            await self._clock.sleep(max(self._options.interval.total_seconds() - spent, 0.05))

    async def sweep(self) -> int:
        """Look once for everything that was lost or is over; how much was published.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        self._sweeps += 1
        found = await self._sweep_sends() + await self._sweep_tasks() + await self._sweep_workflows()
        if self._sweeps % _RARELY == 1:
            found += await self._sweep_rarely()
        return found

    async def _sweep_sends(self) -> int:
        recovery, options = self._recovery, self._options
        found = await self._publish("owner died", lambda: recovery.reclaim(_LIMIT))
        found += await self._publish("overtaken", lambda: recovery.overtaken(options.margin, _LIMIT))
        found += await self._publish("resumed", lambda: recovery.resume(_LIMIT))
        found += await self._publish("nobody answered", lambda: recovery.expire(_LIMIT), level=logging.INFO)
        found += await self._publish("slept", lambda: recovery.rouse(_LIMIT), level=logging.INFO)
        if empty := await self._empty(SEND_QUEUES):
            found += await self._publish("queue empty", lambda: recovery.overdue(options.age, empty, _LIMIT))
        return found

    async def _sweep_tasks(self) -> int:
        tasks, options = self._tasks, self._options
        found = await self._publish("owner died", lambda: tasks.reclaim(_LIMIT))
        found += await self._publish("overtaken", lambda: tasks.overtaken(options.margin, _LIMIT))
        queues = await tasks.queues()
        if queues and (empty := await self._empty(queues)):
            found += await self._publish("queue empty", lambda: tasks.overdue(options.age, empty, _LIMIT))
        return found

    async def _sweep_workflows(self) -> int:
        """Once each: a run that has something to take note of still has it until that is done."""
        due = await self._workflows.due(_LIMIT)
        await self._dispatcher.publish([activation_of(one) for one in due])
        unwanted = await self._workflows.disown(_LIMIT)
        await self._dispatcher.publish([activation_of(one) for one in unwanted])
        return len(due) + len(unwanted)

    async def _sweep_rarely(self) -> int:
        recovery = self._recovery
        found = await self._publish("parent ended", lambda: recovery.cancel_orphans(_LIMIT))
        found += await self._publish("session moved on", lambda: recovery.advance(_LIMIT))
        await recovery.forget_leases(_LEASES_KEPT)
        await recovery.forget_cancels(_CANCELS_KEPT)
        return found

    async def _empty(self, queues: Collection[QueueName]) -> Sequence[Lane]:
        """The lanes of these queues in which nothing lies; none where the broker does not answer."""
        backlog = await self._dispatcher.backlog(queues)
        return [lane for lane, count in (backlog or {}).items() if not count]

    async def _publish(
        self, reason: str, find: Callable[[], Awaitable[Sequence[Ready]]], *, level: int = logging.WARNING
    ) -> int:
        """Publish what is found, until less than a full load of it is there."""
        count = 0
        while True:
            found = await find()
            if found:
                extra = {"reason": reason, "count": len(found), "ids": [one.id for one in found[:10]]}
                logger.log(level, "work recovered", extra=extra)
                await self._dispatcher.publish([activation_of(one) for one in found])
                count += len(found)
            if len(found) < _LIMIT:
                return count
