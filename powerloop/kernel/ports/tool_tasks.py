"""The tool tasks of a store, as those see them that run them, and those that recover them."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import TaskId, WorkerId
from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.tool_tasks import HeldTask, TaskClaim, ToolTask


class ToolTasks(Protocol):
    """Runs calls that wait on queues of their own.

    Each method is one transaction. A method that takes a `TaskClaim` raises `Fenced` unless that claim is
    still the last of a task that is running: nothing is written then. Every method may raise
    `StoreUnavailable`.
    """

    async def find(self, task_id: TaskId) -> ToolTask | None:
        """The task, or `None`."""
        ...

    async def claim(self, task: ToolTask, worker: WorkerId) -> TaskClaim | None:
        """queued → running, or running under a dead owner, or under `worker` itself → running under `worker`.

        Raises attempt by one, and strikes unless `worker` had it already.

        `None`: it is final, another worker that is alive owns it, or its send has ended or is to end. Nothing
        was written then.
        """
        ...

    async def conclude(self, claim: TaskClaim, came_to: ToolOutcome | Suspension) -> Sequence[Ready]:
        """running → ended. The call ends so, or waits for what the suspension says, as `Journal.suspend` has
        it; unless the call has ended meanwhile. Where the send has ended, or is to end, nothing becomes of
        the call: running → cancelled.

        Returns what is to be published: the send, if nothing keeps it waiting any more, and the sends of
        sub-agents.
        """
        ...

    async def hand_over(self, claim: TaskClaim) -> ToolTask:
        """running → queued, so that another process runs it; its strike is given back. To be published."""
        ...


class TaskRecovery(Protocol):
    """Finds tool tasks that nobody drives, and makes them ready, as `Recovery` does with sends.

    Tasks of sends that have ended or are to end are left alone.
    """

    async def queues(self) -> Collection[QueueName]:
        """Those on which a task waits."""
        ...

    async def reclaim(self, limit: int) -> Sequence[ToolTask]:
        """running under a dead owner → queued."""
        ...

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[ToolTask]:
        """Queued tasks whose message was lost: one that was dispatched more than `margin` later, in the same
        lane, has been claimed."""
        ...

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[ToolTask]:
        """Queued tasks of these lanes, which are known to be empty, that were dispatched more than `age` ago.

        Each time that a task is dispatched in vain doubles its age, up to 64 times.
        """
        ...

    async def give_back(self, held: Sequence[HeldTask]) -> Sequence[ToolTask]:
        """running → queued, for tasks that their owner owns but does not drive, unless claimed anew since."""
        ...
