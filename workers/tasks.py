"""The Celery tasks: shells that hand an id, or a request, to the runtime."""

from typing import Any

from celery import Celery, Task

from powerloop.kernel.dispatch import run_of, timer_of_message
from powerloop.kernel.ids import SendId, TaskId
from powerloop.queue.routing import (
    ENQUEUE_TASK,
    LEAF_TASK,
    SEND_TASK,
    SUBAGENT_TASK,
    TIMER_TASK,
    TOOL_TASK,
    WORKFLOW_TASK,
)

from .coroutine_task import CoroutineTask
from .enqueue import accept_request, parse_request
from .runtime import WorkerLifecycle


def register_tasks(app: Celery, lifecycle: WorkerLifecycle) -> None:
    """Add our tasks to the app. What they work with is the lifecycle's runtime."""

    async def drive(send_id: str) -> str:
        """Drive a send as far as it goes here."""
        return (await lifecycle.runtime.executor.drive(SendId(send_id))).value

    for name in (SEND_TASK, SUBAGENT_TASK, LEAF_TASK):
        app.task(name=name, base=CoroutineTask, shared=False)(drive)

    @app.task(name=TOOL_TASK, base=CoroutineTask, shared=False)  # type: ignore[untyped-decorator]
    async def run_tool(task_id: str) -> str:
        """Run a call that has a queue of its own."""
        return (await lifecycle.runtime.tools.drive(TaskId(task_id))).value

    @app.task(name=WORKFLOW_TASK, base=CoroutineTask, shared=False)  # type: ignore[untyped-decorator]
    async def advance(message_id: str) -> None:
        """Have a run take note of what has happened to it."""
        await lifecycle.runtime.runs.move_on(run_of(message_id))

    @app.task(name=TIMER_TASK, base=CoroutineTask, shared=False)  # type: ignore[untyped-decorator]
    async def ask(message_id: str) -> None:
        """Ask the hooks of an agent about a timer of it that is due, and do what they say."""
        await lifecycle.runtime.timers.ask(timer_of_message(message_id))

    @app.task(name=ENQUEUE_TASK, base=CoroutineTask, bind=True, shared=False)  # type: ignore[untyped-decorator]
    async def enqueue(task: Task, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - what the wire brings
        """Accept an input from a producer without a database. The message's id becomes the send's."""
        request = parse_request(kwargs if not args else {**kwargs, "(positional)": args})
        accepted = await accept_request(lifecycle.runtime.producer, task.request.id, request)
        return accepted.send.id
