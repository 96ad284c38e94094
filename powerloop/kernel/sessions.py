"""Sessions: durable conversations of one agent."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from powerloop.kernel.ids import Epoch, Seq, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.policies import Policy


class SessionStatus(StrEnum):
    """Whether a session takes sends."""

    #: Takes sends. Where each session begins.
    OPEN = "open"
    #: Refuses new sends; those accepted before still run to their end. `close_session` moves it here, for
    #: good.
    CLOSED = "closed"


class Lifecycle(StrEnum):
    """What binds the session of a sub-agent to the one that started it."""

    #: A cancel of the parent's send, and the close or removal of the parent's session, reach it too.
    LINKED = "linked"
    #: As `LINKED`; and it is closed as soon as its send has ended.
    EPHEMERAL = "ephemeral"
    #: Nothing: it lives by itself.
    DETACHED = "detached"

    @property
    def is_bound(self) -> bool:
        """Whether the session ends with the one that started it."""
        return self is not Lifecycle.DETACHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose sub-agent a session is."""

    #: The session that started it.
    parent_id: SessionId
    lifecycle: Lifecycle
    #: How its agent differs from one that workers know; `None`: not at all.
    spec: JSONObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A session to be made."""

    id: SessionId
    #: The name of the agent that speaks in it.
    agent: str
    metadata: JSONObject = field(default_factory=dict)
    #: `None` for a session that a producer made.
    origin: Origin | None = None
    #: What happens to a send that says nothing about it and finds the session busy.
    policy: Policy = Policy.ENQUEUE


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
    #: Whose sub-agent it is; `None`: a producer made it.
    origin: Origin | None
    #: What happens to a send that says nothing about it and finds the session busy.
    policy: Policy
    #: How many sends wait to be merged into one that has started (`Policy.STEER`).
    steering: int
    created_at: datetime
    updated_at: datetime
    #: Since when no send of it is claimed; `None`: it is not paused.
    paused_at: datetime | None = None

    @property
    def pending(self) -> int:
        """Sends that have not ended."""
        return self.accepted - self.finished


def new_session(new: NewSession, at: datetime) -> Session:
    """The session as it begins: open, and empty."""
    return Session(
        id=new.id,
        agent=new.agent,
        status=SessionStatus.OPEN,
        metadata=new.metadata,
        epoch=Epoch(0),
        seq=Seq(0),
        accepted=0,
        finished=0,
        origin=new.origin,
        policy=new.policy,
        steering=0,
        created_at=at,
        updated_at=at,
    )
