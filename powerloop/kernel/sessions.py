"""Sessions: durable conversations of one agent."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from powerloop.kernel.ids import Epoch, Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject


class SessionStatus(StrEnum):
    """Whether a session takes sends."""

    #: Takes sends. Where each session begins.
    OPEN = "open"
    #: Refuses new sends; those accepted before still run to their end. `close_session` moves it here, for
    #: good.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to be made."""

    id: SessionId
    #: The name of the agent that speaks in it.
    agent: str
    metadata: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A durable conversation: an append-only log of messages and a queue of sends."""

    id: SessionId
    #: The name of the agent that speaks in it.
    agent: str
    status: SessionStatus
    metadata: JSONObject
    #: The fencing number; grows by one at each claim.
    epoch: Epoch
    #: The place of the last message, 0 while there is none.
    seq: Seq
    #: How many sends were accepted; the position of the latest.
    accepted: int
    #: How many sends have ended; the head of the queue is at `finished + 1`.
    finished: int
    created_at: datetime
    updated_at: datetime

    @property
    def pending(self) -> int:
        """Sends that have not ended."""
        return self.accepted - self.finished
