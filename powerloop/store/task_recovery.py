"""Tool tasks that nobody drives, found and made ready for a worker again.

What made a task a candidate is judged again by the update, under the lock of its row: a claim, or another
sweeper, that was faster is seen.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, literal, select, tuple_, update

from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.tool_tasks import HeldTask, TaskStatus, ToolTask
from powerloop.store.database import Database
from powerloop.store.lateness import dead_owners, is_alive, is_overdue, is_overtaken
from powerloop.store.schema import lane_marks, sends, tool_tasks
from powerloop.store.task_rows import task_of
from powerloop.store.tool_tasks import readied_task


def _is_in(status: TaskStatus) -> ColumnElement[bool]:
    """Whether a task is in this state, as the conditions of the partial indexes say it."""
    return tool_tasks.c.status == literal(status.value, literal_execute=True)


_RUNNING: Final = _is_in(TaskStatus.RUNNING)
_QUEUED: Final = _is_in(TaskStatus.QUEUED)
_DEAD_OWNERS: Final = dead_owners(tool_tasks, _RUNNING)
_ITS_SEND: Final = exists().where(sends.c.id == tool_tasks.c.send_id)
_IS_AWAITED: Final = _ITS_SEND.where(
    sends.c.ended_at.is_(None), sends.c.cancel_requested_at.is_(None)
).correlate(tool_tasks)


class SqlTaskRecovery:
    """The `TaskRecovery` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def queues(self) -> Collection[QueueName]:
        rows = await self._database.read(select(tool_tasks.c.queue).where(_QUEUED).distinct())
        return [QueueName(row["queue"]) for row in rows]

    async def reclaim(self, limit: int) -> Sequence[ToolTask]:
        dead = [row["owner"] for row in await self._database.read(_DEAD_OWNERS)]
        if not dead:
            return ()
        orphaned = and_(_RUNNING, tool_tasks.c.owner.in_(dead), ~is_alive(tool_tasks.c.owner))
        return await self._make_ready(orphaned, limit)

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[ToolTask]:
        marks = await self._database.read(select(lane_marks))
        if not marks:
            return ()
        return await self._make_ready(and_(_QUEUED, is_overtaken(tool_tasks, marks, margin)), limit)

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[ToolTask]:
        if not lanes:
            return ()
        return await self._make_ready(and_(_QUEUED, is_overdue(tool_tasks, age, lanes)), limit)

    async def give_back(self, held: Sequence[HeldTask]) -> Sequence[ToolTask]:
        claims = [(one.task_id, one.attempt) for one in held]
        if not claims:
            return ()
        theirs = and_(_RUNNING, tuple_(tool_tasks.c.id, tool_tasks.c.attempt).in_(claims))
        return await self._make_ready(theirs, len(claims))

    async def _make_ready(self, lost: ColumnElement[bool], limit: int) -> Sequence[ToolTask]:
        found = select(tool_tasks.c.id).where(lost, _IS_AWAITED).limit(limit)
        async with self._database.transaction() as run:
            rows = await run(found.with_for_update(of=tool_tasks, key_share=True, skip_locked=True))
            if not rows:
                return ()
            still_lost = update(tool_tasks).where(tool_tasks.c.id.in_([row["id"] for row in rows]), lost)
            rows = await run(still_lost.values(readied_task()).returning(tool_tasks))
        return sorted(map(task_of, rows), key=_order)


def _order(task: ToolTask) -> tuple[object, ...]:
    return task.dispatched_at, task.id
