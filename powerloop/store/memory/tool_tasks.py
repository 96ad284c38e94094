"""Tool tasks in memory: how they run, and how they are recovered."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import TaskId, WorkerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.sends import Send
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.tool_tasks import HeldTask, TaskClaim, TaskStatus, ToolTask, is_ending
from powerloop.store.memory.interactions import wake
from powerloop.store.memory.state import State
from powerloop.store.memory.waiting import begin_waits

#: The most often that a dispatch in vain doubles the patience with the next one.
_DOUBLINGS = 6


class MemoryToolTasks:
    """The `ToolTasks` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, task_id: TaskId) -> ToolTask | None:
        return self._state.tasks.get(TaskId(clean_text(task_id)))

    async def claim(self, task: ToolTask, worker: WorkerId) -> TaskClaim | None:
        state = self._state
        found, send = state.tasks.get(task.id), state.sends.get(task.send_id)
        if found is None or send is None or not _is_awaited(send) or not self._is_free(found, worker):
            return None
        call = state.calls[send.id][found.call_id]
        if call.status is not CallStatus.WAITING:
            return None
        ours = found.status is TaskStatus.RUNNING and found.owner == worker
        state.tasks[found.id] = claimed = replace(
            found,
            status=TaskStatus.RUNNING,
            owner=worker,
            attempt=found.attempt + 1,
            strikes=found.strikes if ours else found.strikes + 1,
            started_at=found.started_at or state.clock.now(),
        )
        return TaskClaim(task=claimed, send=send, call=call)

    async def conclude(self, claim: TaskClaim, came_to: ToolOutcome | Suspension) -> tuple[Ready, ...]:
        state, task = self._state, self._ours(claim)
        send = state.sends[task.send_id]
        status = TaskStatus.CANCELLED if is_ending(send) else TaskStatus.ENDED
        state.tasks[task.id] = replace(task, status=status, ended_at=state.clock.now())
        if is_ending(send):
            return ()
        started: tuple[Ready, ...] = ()
        if isinstance(came_to, ToolOutcome):
            state.end_calls(task.send_id, (came_to,))
        else:
            started = begin_waits(state, send, came_to)
        woken = wake(state, task.send_id)
        return (*((woken,) if woken else ()), *started)

    async def hand_over(self, claim: TaskClaim) -> ToolTask:
        task = self._ours(claim)
        return ready_again(self._state, replace(task, strikes=max(task.strikes - 1, 0)))

    def _is_free(self, task: ToolTask, worker: WorkerId) -> bool:
        if task.status is TaskStatus.RUNNING:
            return task.owner == worker or not self._state.is_alive(task.owner)
        return task.status is TaskStatus.QUEUED

    def _ours(self, claim: TaskClaim) -> ToolTask:
        """The task as it stands.

        Raises:
            Fenced: the claim is not the last of a task that is running.
        """
        task = self._state.tasks.get(claim.task.id)
        if task is None or task.status is not TaskStatus.RUNNING:
            raise Fenced
        if (task.attempt, task.owner) != (claim.task.attempt, claim.task.owner):
            raise Fenced
        return task


class MemoryTaskRecovery:
    """The `TaskRecovery` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def queues(self) -> Collection[QueueName]:
        return {task.queue for task in self._state.tasks.values() if task.status is TaskStatus.QUEUED}

    async def reclaim(self, limit: int) -> Sequence[ToolTask]:
        return self._make_ready(
            lambda task: task.status is TaskStatus.RUNNING and not self._state.is_alive(task.owner), limit
        )

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[ToolTask]:
        def behind(task: ToolTask) -> bool:
            mark = self._state.marks.get(task.lane)
            return mark is not None and task.dispatched_at is not None and task.dispatched_at < mark - margin

        return self._make_ready(lambda task: task.status is TaskStatus.QUEUED and behind(task), limit)

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[ToolTask]:
        now = self._state.clock.now()

        def late(task: ToolTask) -> bool:
            in_vain = min(self._state.task_dispatches[task.id] - 1, _DOUBLINGS)
            return task.dispatched_at is not None and task.dispatched_at < now - age * 2**in_vain

        return self._make_ready(
            lambda task: task.status is TaskStatus.QUEUED and task.lane in lanes and late(task), limit
        )

    async def give_back(self, held: Sequence[HeldTask]) -> Sequence[ToolTask]:
        claims = {(one.task_id, one.attempt) for one in held}
        return self._make_ready(
            lambda task: task.status is TaskStatus.RUNNING and (task.id, task.attempt) in claims, len(claims)
        )

    def _make_ready(self, lost: Callable[[ToolTask], bool], limit: int) -> Sequence[ToolTask]:
        state = self._state
        found = [
            task for task in state.tasks.values() if lost(task) and _is_awaited(state.sends[task.send_id])
        ]
        return [ready_again(state, task) for task in found[:limit]]


def ready_again(state: State, task: ToolTask) -> ToolTask:
    """Have the task queued, and stamped as dispatched now."""
    ready = replace(task, status=TaskStatus.QUEUED, owner=None, dispatched_at=state.clock.now())
    state.tasks[task.id] = ready
    state.task_dispatches[task.id] += 1
    return ready


def _is_awaited(send: Send) -> bool:
    return not send.status.is_final and send.cancel is None
