"""Causes of sends that wait for calls on other queues, or for a time."""

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.explain.explanation import Cause, Explanation
from powerloop.kernel.explain.facts import Facts
from powerloop.kernel.explain.words import BEAT_PATIENCE, NO_BEAT_HINT, ago, no_worker, paragraph, span
from powerloop.kernel.tool_tasks import TaskStatus, ToolTask


def waits_for_tool(facts: Facts) -> Explanation | None:
    """Calls run, or are to run, on queues of their own."""
    tasks = facts.rows.tasks
    if not tasks:
        return None
    return Explanation(
        code=Cause.WAITS_FOR_TOOL,
        text=paragraph(
            f"Send {facts.rows.send.id} waits for calls that run on queues of their own.",
            task_words(facts),
            no_worker(facts),
        ),
        hint=_hint(facts),
    )


def waits_for_time(facts: Facts) -> Explanation | None:
    """A call sleeps."""
    asleep = [
        (call.wakes_at, call)
        for call in facts.rows.calls
        if call.wakes_at and call.status is CallStatus.WAITING
    ]
    if not asleep:
        return None
    at, call = max(asleep, key=lambda pair: pair[0])
    left = at - facts.rows.now
    is_over = left.total_seconds() < 0
    when = "that has come: a beat wakes it within a second or two" if is_over else f"in {span(left)}"
    return Explanation(
        code=Cause.WAITS_FOR_TIME,
        text=f"Send {facts.rows.send.id} sleeps, and needs no worker meanwhile: its call {call.name} "
        f"({call.id}) waits until {at.isoformat(timespec='seconds')}, {when}.",
        hint=NO_BEAT_HINT if -left > BEAT_PATIENCE else "",
    )


def task_words(facts: Facts) -> str:
    """Where each tool task is; empty if there is none."""
    return paragraph(*(_told(facts, task) for task in facts.rows.tasks))


def _told(facts: Facts, task: ToolTask) -> str:
    call = f"The call {task.tool} ({task.call_id})"
    if task.status is TaskStatus.QUEUED:
        when = ago(facts, task.dispatched_at)
        return f"{call} is ready on the queue {task.queue}, dispatched {when}, and no worker has taken it."
    alive = "is alive" if task.owner in facts.rows.workers.alive else "is not alive"
    return (
        f"{call}, of the queue {task.queue}, runs under {task.owner}, which {alive}, in attempt "
        f"{task.attempt}, first started {ago(facts, task.started_at)}."
    )


def _hint(facts: Facts) -> str:
    """What to do about a task that nobody takes, or whose process died."""
    rows = facts.rows
    for task in rows.tasks:
        at = task.dispatched_at
        if task.status is TaskStatus.QUEUED and at and rows.now - at > BEAT_PATIENCE:
            return f"See that a worker serves its queue: powerloop worker --queues {task.queue}"
        if task.status is TaskStatus.RUNNING and task.owner not in rows.workers.alive:
            return NO_BEAT_HINT
    return ""
