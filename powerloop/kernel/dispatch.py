"""Activations: what is published so that some worker wakes a row. A hint; the row is the truth."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from powerloop.kernel.messages import text_of
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import Send
from powerloop.kernel.tool_tasks import ToolTask

PREVIEW_LENGTH = 80


class Kind(StrEnum):
    """What is woken; each is a task of its own name."""

    SEND = "send"
    SUBAGENT = "subagent"
    TOOL = "tool"


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


#: What is made ready for a worker.
Ready: TypeAlias = Send | ToolTask


def activation_of(ready: Ready) -> Activation:
    """The activation that wakes the row."""
    return _waking_task(ready) if isinstance(ready, ToolTask) else _waking_send(ready)


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
