"""Activations: what is published so that some worker wakes a row. A hint; the row is the truth."""

from dataclasses import dataclass
from enum import StrEnum

from powerloop.kernel.messages import text_of
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import Send

PREVIEW_LENGTH = 80


class Kind(StrEnum):
    """What is woken; each is a task of its own name."""

    SEND = "send"
    SUBAGENT = "subagent"


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


def activation_of(send: Send) -> Activation:
    """The activation that wakes `send`."""
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
