"""Worker leases in memory, seen by the claims of one `MemoryStore`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from powerloop.kernel.ids import WorkerId
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.tool_tasks import HeldTask, TaskStatus
from powerloop.store.memory.store import MemoryStore


class MemoryLeases:
    """The `Leases` port over the store's memory and the store's clock. Safe to use from any thread."""

    def __init__(self, store: MemoryStore) -> None:
        self._state = store.state

    def renew(self, worker: WorkerId, ttl: timedelta) -> None:
        self._state.leases[worker] = self._state.clock.now() + ttl

    def held(self, worker: WorkerId) -> Sequence[Held]:
        # The loop's thread may write meanwhile.
        sends = list(self._state.sends.values())
        return [
            Held(
                send_id=send.id,
                session_id=send.session_id,
                epoch=send.epoch,
                cancel_requested=send.cancel is not None,
            )
            for send in sends
            if send.status is SendStatus.RUNNING and send.owner == worker
        ]

    def held_tasks(self, worker: WorkerId) -> Sequence[HeldTask]:
        tasks = list(self._state.tasks.values())
        return [
            HeldTask(
                task_id=task.id,
                attempt=task.attempt,
                cancelled=task.status is TaskStatus.CANCELLED
                or self._state.sends[task.send_id].cancel is not None,
            )
            for task in tasks
            if task.owner == worker and task.status in (TaskStatus.RUNNING, TaskStatus.CANCELLED)
        ]

    def raise_marks(self, marks: Mapping[Lane, datetime]) -> None:
        for lane, at in marks.items():
            self._state.marks[lane] = max(at, self._state.marks.get(lane, at))

    def release(self, worker: WorkerId) -> None:
        self._state.leases.pop(worker, None)

    def close(self) -> None:
        """There is no connection."""
