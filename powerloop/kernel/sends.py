"""Sends: one input to a session and all that it triggers. Their states, and the nouns of each edge."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from powerloop.kernel.ids import CallId, Epoch, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.messages import Block, text_of
from powerloop.kernel.policies import Policy
from powerloop.kernel.queues import LEAF_QUEUE, SEND_QUEUE, SUBAGENT_QUEUE, Lane, QueueName
from powerloop.kernel.usage import Usage
from powerloop.kernel.workflows import LeafPlace, RunAdvance


class SendStatus(StrEnum):
    """Where a send is in its life.

    ::

        (accepted) ─► queued ─► running ─► completed | failed | cancelled
                        ▲          │
                        │          ▼
                        └────── waiting
        queued, too old ─► expired       steered into a running send ─► merged
    """

    #: Accepted: the row is committed and is the outbox. `accept` moves a send in, and so does whatever gives
    #: a running one back (hand-over, recovery, resolved waits). Only the head of its session may be claimed
    #: from here. If every process dies now, the row stays and the sweeper publishes it again.
    QUEUED = "queued"
    #: One worker process owns it, under the epoch that its claim gave. `claim` moves a send in; `finish`,
    #: `suspend` and `hand_over` move it out. If the owner dies, its lease runs out: the sweeper makes the
    #: send queued again, and any worker may claim it.
    RUNNING = "running"
    #: A tool call of its last round waits for something outside, such as a person. `suspend` moves a send in;
    #: the transaction that resolves the last wait, or a cancel, makes it queued. No process owns it, so none
    #: can lose it.
    WAITING = "waiting"
    #: It ended by itself; `stop_reason` says how. Final.
    COMPLETED = "completed"
    #: It ended on an error; `error` says which. The transcript is valid and the session takes the next send.
    #: Final.
    FAILED = "failed"
    #: Somebody cancelled it. Final.
    CANCELLED = "cancelled"
    #: It was not started before `expires_at`. Final.
    EXPIRED = "expired"
    #: Its input went into the send that ran when it arrived. Final.
    MERGED = "merged"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset(
    {SendStatus.COMPLETED, SendStatus.FAILED, SendStatus.CANCELLED, SendStatus.EXPIRED, SendStatus.MERGED}
)


class StopReason(StrEnum):
    """Why a completed send stopped."""

    #: The model had nothing left to do.
    END_TURN = "end_turn"
    #: The agent's `max_rounds` were used up.
    ROUND_LIMIT = "round_limit"
    #: A budget of tokens, money or time was used up.
    BUDGET = "budget"
    #: The model's answer was cut at its output limit.
    OUTPUT_LIMIT = "output_limit"
    #: The model, or its provider's filter, declined to answer.
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendError:
    """Why a send failed, as data."""

    #: The stable code of `kernel.errors`, or ``internal`` for a defect.
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """That somebody wants a send to end."""

    #: Why, for the eyes of people; may be empty.
    reason: str
    #: Who, as the caller named itself; may be empty.
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSend:
    """An input to be accepted."""

    id: SendId
    session_id: SessionId
    content: tuple[Block, ...]
    #: `None`: what the session says.
    policy: Policy | None = None
    #: The same key gives the same send, per session. 1 to 200 characters.
    idempotency_key: str | None = None
    #: 0 (default) to 9; higher goes first, across sessions only.
    priority: int = 0
    metadata: JSONObject = field(default_factory=dict)
    #: What it may use; narrows what its agent allows.
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where the send of a sub-agent comes from."""

    #: The call that started it.
    session_id: SessionId
    send_id: SendId
    call_id: CallId
    #: The send that the whole tree goes back to.
    root_id: SendId
    #: 1 for a child of the root.
    depth: int
    #: Whether the call waits for it; if not, its result is sent to the parent's session.
    awaited: bool
    #: How large the tree may grow, as those above have narrowed it.
    limits: TreeLimits
    #: The sends above it that have a budget, which its own use is charged to as well; the root first.
    budgets: tuple[SendId, ...] = ()
    #: Where it belongs in a run of a workflow, if it is a leaf of one; its end is told to the run then.
    leaf: LeafPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One input to a session and all that it triggers."""

    id: SendId
    session_id: SessionId
    #: The name of the session's agent.
    agent: str
    #: Its place in the session's queue, from 1.
    position: int
    status: SendStatus
    policy: Policy
    content: tuple[Block, ...]
    idempotency_key: str | None
    priority: int
    metadata: JSONObject
    #: How many times it was claimed; a hand-over gives its claim back.
    attempt: int
    #: Claims since it last got something committed. A process that dies each time raises it until the send
    #: fails as poison.
    strikes: int
    #: The epoch of its last claim; 0 before the first.
    epoch: Epoch
    #: The process that runs it, or ran it last.
    owner: WorkerId | None
    #: Model calls that were committed.
    rounds: int
    usage: Usage
    stop_reason: StopReason | None
    error: SendError | None
    #: Set as soon as its end was asked for; it may still run.
    cancel: CancelRequest | None
    #: The content of the model's last message, once completed; what it had written, where it was cancelled.
    output: tuple[Block, ...]
    created_at: datetime
    #: When it was last made ready for a worker; `None` until the sends before it have ended.
    dispatched_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    #: Where it comes from, if it is a sub-agent's; `None`: a producer sent it.
    lineage: Lineage | None = None
    #: How its agent differs from one that workers know; `None`: not at all.
    spec: JSONObject | None = None
    #: What it may use, as its producer said; narrowed by what its agent allows, once a model was called.
    budget: Budget | None = None

    @property
    def root_id(self) -> SendId:
        """The send that its tree goes back to: itself, unless it is a sub-agent's."""
        return self.lineage.root_id if self.lineage else self.id

    @property
    def depth(self) -> int:
        """How many sub-agents deep it is; 0 for one that a producer sent."""
        return self.lineage.depth if self.lineage else 0

    @property
    def queue(self) -> QueueName:
        """Where it waits for a worker."""
        return queue_of(self.lineage)

    @property
    def lane(self) -> Lane:
        """The part of its queue that it waits in."""
        return Lane(self.queue, self.priority)

    @property
    def text(self) -> str:
        """The text of the output."""
        return text_of(self.output)


def queue_of(lineage: Lineage | None) -> QueueName:
    """Where a send of that lineage waits for a worker."""
    if lineage is None:
        return SEND_QUEUE
    return LEAF_QUEUE if lineage.leaf else SUBAGENT_QUEUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a `NewSend`."""

    send: Send
    #: False when the idempotency key was known: `send` is then the earlier one, and nothing was written.
    created: bool
    #: True when it is the head of its session, so that it is to be published now.
    is_head: bool
    #: A send whose end its policy asked for: whoever runs it is to be told.
    interrupted: Send | None = None
    #: That send where it had no process, so that it is to be published: a worker has to end it.
    ready: Send | None = None


class CancelEffect(StrEnum):
    """What a cancel came to."""

    #: It had not started, and is cancelled now.
    CANCELLED = "cancelled"
    #: It has started: the process that runs it, or the next one to claim it, ends it and closes its calls.
    REQUESTED = "requested"
    #: It was final already; nothing changed.
    ENDED = "ended"
    #: Nothing is known of it. Should a send of this id be accepted, it will be cancelled instead of run.
    REMEMBERED = "remembered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What became of a cancel."""

    send_id: SendId
    effect: CancelEffect
    #: The send as it stands now; `None` where the effect is `REMEMBERED`.
    send: Send | None
    #: A send that is ready for a worker now, and to be published: the cancelled one, if a worker has to end
    #: it and none has it, or the one after it.
    ready: Send | None = None
    #: What takes the end of a sub-agent to its parent, or that of a leaf to its run, if that is to be
    #: published too.
    parent: Send | RunAdvance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The right to write for one claim. Every write of the executor carries it."""

    session_id: SessionId
    send_id: SendId
    epoch: Epoch
    #: The sends whose budgets the model calls of this one are charged to: those above it, the root first, and
    #: itself if it has one.
    budgets: tuple[SendId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A send that is ours to run."""

    send: Send
    fence: Fence
    #: The place of the last message of the session's log, the send's input included.
    seq: Seq
    #: Whether sends wait to be merged into this one.
    steering: bool = False
