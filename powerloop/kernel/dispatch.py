"""Activations: what is published so that some worker wakes a row. A hint; the row is the truth."""

from dataclasses import dataclass

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import text_of
from powerloop.kernel.sends import Lineage, Send

PREVIEW_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A send that some worker should claim now."""

    send_id: SendId
    session_id: SessionId
    agent: str
    #: 0 to 9; higher goes first.
    priority: int
    #: The beginning of the input, one line, for the eyes of an operator.
    preview: str
    #: True for the first time it is published: monitors are told of a new task then, and only then.
    first: bool
    #: Where it comes from, if it is a sub-agent's.
    lineage: Lineage | None = None

    @property
    def root_id(self) -> SendId:
        """The send that its tree goes back to: itself, unless it is a sub-agent's."""
        return self.lineage.root_id if self.lineage else self.send_id

    @property
    def parent_id(self) -> SendId | None:
        """The send of its parent. It names the group of those that were started together."""
        return self.lineage.send_id if self.lineage else None


def activation_of(send: Send) -> Activation:
    """The activation that wakes `send`."""
    return Activation(
        send_id=send.id,
        session_id=send.session_id,
        agent=send.agent,
        priority=send.priority,
        preview=" ".join(text_of(send.content)[: 2 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH],
        first=send.attempt == 0,
        lineage=send.lineage,
    )
