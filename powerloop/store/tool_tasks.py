"""Tool tasks: calls that run on queues of their own, on any database."""

from sqlalchemy import Update, case, func, select, update

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import TaskId, WorkerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import Send
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.tool_tasks import TaskClaim, TaskStatus, ToolTask, is_ending
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.lateness import is_alive
from powerloop.store.portable.locking import lock_session
from powerloop.store.portable.writing import end_calls
from powerloop.store.resolving import wake
from powerloop.store.rows import call_of, send_of
from powerloop.store.schema import sends, tool_calls, tool_tasks
from powerloop.store.task_rows import task_of
from powerloop.store.waiting import begin_waits


class SqlToolTasks:
    """The `ToolTasks` port. Every write has the session's row locked, as all that moves a send has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, task_id: TaskId) -> ToolTask | None:
        rows = await self._database.read(select(tool_tasks).where(tool_tasks.c.id == clean_text(task_id)))
        return task_of(rows[0]) if rows else None

    async def claim(self, task: ToolTask, worker: WorkerId) -> TaskClaim | None:
        async with self._database.transaction() as run:
            await lock_session(run, task.session_id)
            send, call = await _send(run, task), await _call(run, task)
            if send is None or send.status.is_final or send.cancel or not _waits(call):
                return None
            assert call is not None
            rows = await run(_claimed(task, worker).returning(tool_tasks))
        return TaskClaim(task=task_of(rows[0]), send=send, call=call) if rows else None

    async def conclude(self, claim: TaskClaim, came_to: ToolOutcome | Suspension) -> tuple[Ready, ...]:
        task = claim.task
        async with self._database.transaction() as run:
            await lock_session(run, task.session_id)
            send = await _send(run, task)
            if send is None or is_ending(send):
                # Whoever ends it closes the call as it stands, or has done so.
                await _move(run, _ours(claim).values(status=TaskStatus.CANCELLED.value, ended_at=now()))
                return ()
            await _move(run, _ours(claim).values(status=TaskStatus.ENDED.value, ended_at=now()))
            started: tuple[Ready, ...] = ()
            if isinstance(came_to, ToolOutcome):
                await end_calls(run, task.send_id, (came_to,))
            else:
                started = await begin_waits(run, send, came_to)
            woken = await wake(run, [task.send_id])
        return (*woken, *started)

    async def hand_over(self, claim: TaskClaim) -> ToolTask:
        async with self._database.transaction() as run:
            await lock_session(run, claim.task.session_id)
            strikes = max(claim.task.strikes - 1, 0)
            return await _move(run, _ours(claim).values(strikes=strikes, **readied_task()))


def readied_task() -> dict[str, object]:
    """The values of a task that becomes queued, and is dispatched now."""
    return {
        "status": TaskStatus.QUEUED.value,
        "owner": None,
        "dispatched_at": now(),
        "dispatches": tool_tasks.c.dispatches + 1,
    }


def _claimed(task: ToolTask, worker: WorkerId) -> Update:
    running = tool_tasks.c.status == TaskStatus.RUNNING.value
    ours = running & (tool_tasks.c.owner == worker)
    free = (tool_tasks.c.status == TaskStatus.QUEUED.value) | ours | (running & ~is_alive(tool_tasks.c.owner))
    return (
        update(tool_tasks)
        .where(tool_tasks.c.id == task.id, free)
        .values(
            status=TaskStatus.RUNNING.value,
            owner=worker,
            attempt=tool_tasks.c.attempt + 1,
            # A claim of our own before was no strike.
            strikes=tool_tasks.c.strikes + case((ours, 0), else_=1),
            started_at=func.coalesce(tool_tasks.c.started_at, now()),
        )
    )


def _ours(claim: TaskClaim) -> Update:
    """What the claim may write."""
    task = claim.task
    fence = (tool_tasks.c.attempt == task.attempt, tool_tasks.c.owner == task.owner)
    running = tool_tasks.c.status == TaskStatus.RUNNING.value
    return update(tool_tasks).where(tool_tasks.c.id == task.id, running, *fence)


async def _move(run: Run, change: Update) -> ToolTask:
    """Write the change.

    Raises:
        Fenced: the claim is not the last of a task that is running.
    """
    rows = await run(change.returning(tool_tasks))
    if not rows:
        raise Fenced
    return task_of(rows[0])


async def _send(run: Run, task: ToolTask) -> Send | None:
    rows = await run(SENDS.where(sends.c.id == task.send_id))
    return send_of(rows[0]) if rows else None


async def _call(run: Run, task: ToolTask) -> ToolCall | None:
    its = (tool_calls.c.send_id == task.send_id, tool_calls.c.id == clean_text(task.call_id))
    rows = await run(select(tool_calls).where(*its))
    return call_of(rows[0]) if rows else None


def _waits(call: ToolCall | None) -> bool:
    return call is not None and call.status is CallStatus.WAITING
