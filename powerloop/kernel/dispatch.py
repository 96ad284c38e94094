"""Activations: what is published so that some worker wakes a row. A hint; the row is the truth."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from powerloop.kernel.ids import RunId, TimerId
from powerloop.kernel.messages import text_of
from powerloop.kernel.queues import TIMER_QUEUE, WORKFLOW_QUEUE, QueueName
from powerloop.kernel.sends import Lineage, Send
from powerloop.kernel.timers import TIMER_MESSAGE, Timer
from powerloop.kernel.tool_tasks import ToolTask
from powerloop.kernel.workflows import RUN_MESSAGE, LeafPlace, RunAdvance

PREVIEW_LENGTH = 80


class Kind(StrEnum):
    """What is woken; each is a task of its own name."""

    SEND = "send"
    SUBAGENT = "subagent"
    TOOL = "tool"
    LEAF = "leaf"
    WORKFLOW = "workflow"
    TIMER = "timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A row that some worker should claim now."""

    kind: Kind
    #: Of the row; also that of the message.
    id: str
    queue: QueueName
    #: 0 to 9; higher goes first.
    priority: int
    #: Who is at work: the name of an agent or a tool, and no id.
    actor: str
    #: The ids that an operator looks for: ``session=… send=…``.
    ids: str
    #: The beginning of the input, one line, for the eyes of an operator.
    preview: str
    #: True for the first time it is published: monitors are told of a new task then, and only then.
    first: bool
    #: The send that its tree goes back to: itself, if nothing is above it.
    root_id: str
    #: The send that it was started by.
    parent_id: str | None = None
    #: What those that were started together have in common.
    group_id: str | None = None
    #: How many these are, and which one of them this is; 0: they are no chord.
    group_size: int = 0
    group_index: int = 0
    #: What is woken once each of the group has run.
    joins: str | None = None


#: What is made ready for a worker.
Ready: TypeAlias = Send | ToolTask | RunAdvance | Timer


def activation_of(ready: Ready) -> Activation:
    """The activation that wakes the row."""
    match ready:
        case ToolTask():
            return _waking_task(ready)
        case RunAdvance():
            return _waking_run(ready)
        case Timer():
            return _waking_timer(ready)
        case _:
            return _waking_send(ready)


def run_of(message_id: str) -> RunId:
    """The run that the activation of this id moves on."""
    return RunId(message_id.removeprefix(RUN_MESSAGE))


def timer_of_message(message_id: str) -> TimerId:
    """The timer whose hooks the activation of this id has asked."""
    return TimerId(message_id.removeprefix(TIMER_MESSAGE))


def _waking_timer(timer: Timer) -> Activation:
    message_id = f"{TIMER_MESSAGE}{timer.id}"
    return Activation(
        kind=Kind.TIMER,
        id=message_id,
        queue=TIMER_QUEUE,
        priority=timer.plan.priority,
        actor=timer.agent,
        ids=f"timer={timer.id}",
        preview="",
        first=False,
        root_id=message_id,
    )


def _waking_run(run: RunAdvance) -> Activation:
    return Activation(
        kind=Kind.WORKFLOW,
        id=run.id,
        queue=WORKFLOW_QUEUE,
        priority=run.priority,
        actor=run.name,
        ids=f"run={run.run_id}",
        preview="",
        first=False,
        root_id=run.run_id,
    )


def _waking_task(task: ToolTask) -> Activation:
    return Activation(
        kind=Kind.TOOL,
        id=task.id,
        queue=task.queue,
        priority=task.priority,
        actor=task.tool,
        ids=f"session={task.session_id} send={task.send_id} call={task.call_id[:PREVIEW_LENGTH]}",
        preview="",
        first=task.attempt == 0,
        root_id=task.root_id,
        parent_id=task.send_id,
    )


def _waking_send(send: Send) -> Activation:
    lineage = send.lineage
    if lineage and lineage.leaf:
        return _waking_leaf(send, lineage, lineage.leaf)
    return Activation(
        kind=Kind.SUBAGENT if lineage else Kind.SEND,
        id=send.id,
        queue=send.queue,
        priority=send.priority,
        actor=send.agent,
        ids=f"session={send.session_id} send={send.id}",
        preview=" ".join(text_of(send.content)[: 2 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH],
        first=send.attempt == 0,
        root_id=send.root_id,
        parent_id=lineage.send_id if lineage else None,
        group_id=lineage.send_id if lineage else None,
    )


def _waking_leaf(send: Send, lineage: Lineage, leaf: LeafPlace) -> Activation:
    return Activation(
        kind=Kind.LEAF,
        id=send.id,
        queue=send.queue,
        priority=send.priority,
        actor=send.agent,
        ids=f"run={leaf.run_id} send={send.id}",
        preview=lineage.call_id[:PREVIEW_LENGTH],
        first=send.attempt == 0,
        root_id=leaf.run_id,
        parent_id=lineage.send_id,
        group_id=leaf.group_id,
        group_size=leaf.group_size,
        group_index=leaf.group_index,
        joins=f"{RUN_MESSAGE}{leaf.run_id}",
    )
