"""How calls begin to wait, and what of that ends with their send. The session's row is locked."""

from sqlalchemy import insert, update

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import Send
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.tool_tasks import NewToolTask, TaskStatus, ToolTask
from powerloop.kernel.workflows import NewRun, RunAdvance
from powerloop.store.children import start_children
from powerloop.store.columns import after, now
from powerloop.store.database import Run
from powerloop.store.portable.writing import ask
from powerloop.store.schema import tool_calls, tool_tasks
from powerloop.store.task_rows import new_task_row, task_of
from powerloop.store.workflow_ends import begin_run


async def begin_waits(run: Run, send: Send, suspension: Suspension) -> tuple[Ready, ...]:
    """Write down what calls of the send wait for, those that have ended excepted; what is to be published."""
    for new in suspension.interactions:
        await ask(run, send, new)
    for sleep in suspension.sleeps:
        await _begin_sleep(run, send, sleep)
    tasks = [await _begin_task(run, send, task) for task in suspension.tasks]
    children = await start_children(run, send, suspension)
    runs = [await _begin_run(run, send, new) for new in suspension.runs]
    return (*children, *(one for one in (*tasks, *runs) if one))


async def stop_tasks(run: Run, send_id: SendId) -> None:
    """Cancel the tool tasks of a send that ends: whoever runs one hears of it with its next heartbeat."""
    is_open = tool_tasks.c.status.in_((TaskStatus.QUEUED.value, TaskStatus.RUNNING.value))
    stopped = update(tool_tasks).where(tool_tasks.c.send_id == send_id, is_open)
    await run(stopped.values(status=TaskStatus.CANCELLED.value, ended_at=now()))


async def _begin_sleep(run: Run, send: Send, sleep: NewSleep) -> None:
    until = after(sleep.lasts) if sleep.lasts is not None else sleep.until
    await _has_begun(run, send, sleep.call_id, wakes_at=until, wake_result=clean_text(sleep.result))


async def _begin_task(run: Run, send: Send, new: NewToolTask) -> ToolTask | None:
    """Queue the task, unless its call has ended."""
    if not await _has_begun(run, send, new.call_id):
        return None
    row = insert(tool_tasks).values(**new_task_row(send, new), created_at=now(), dispatched_at=now())
    return task_of((await run(row.returning(tool_tasks)))[0])


async def _begin_run(run: Run, send: Send, new: NewRun) -> RunAdvance | None:
    """Write the run, unless its call has ended."""
    return await begin_run(run, send, new) if await _has_begun(run, send, new.call_id) else None


async def _has_begun(run: Run, send: Send, call_id: CallId, **values: object) -> bool:
    """Have the call wait, unless it has ended; whether it does."""
    its = (tool_calls.c.send_id == send.id, tool_calls.c.id == clean_text(call_id))
    waits = update(tool_calls).where(*its, tool_calls.c.ended_at.is_(None))
    return bool(await run(waits.values(status=CallStatus.WAITING.value, **values).returning(tool_calls.c.id)))
