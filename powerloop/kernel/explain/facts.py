"""Facts: what is known of a send that somebody asks about: its rows, the leases of workers, the queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from powerloop.kernel.calls import ToolCall
from powerloop.kernel.ids import InteractionId, SendId, WorkerId
from powerloop.kernel.interactions import Interaction
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.tool_tasks import ToolTask
from powerloop.kernel.workflows import NodeStatus, WorkflowRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The worker processes, as their leases tell of them."""

    #: Those that are alive.
    alive: tuple[WorkerId, ...]
    #: When the latest lease ran out of those that are not; `None`: there is no trace of any.
    last_expired_at: datetime | None

    def has_process(self, process: str) -> bool:
        """Whether a worker of this process, ``host:pid``, is alive."""
        return any(worker.startswith(f"{process}:") for worker in self.alive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The lease of the worker that owns a running send."""

    worker: WorkerId
    alive: bool
    #: Until when it lasts, or when it ran out; `None`: it was given back, or is forgotten.
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run of a workflow that is open, and what keeps its nodes."""

    run: WorkflowRun
    #: How many of its nodes are in each state: of each node the last attempt.
    nodes: Mapping[NodeStatus, int]
    #: The same of the sends of those that run.
    leaves: Mapping[SendStatus, int]
    #: How many questions of its leaves are open to people, and the oldest.
    questions: int = 0
    oldest_question: InteractionId | None = None
    #: The signals that nodes wait for, each once.
    signals: tuple[str, ...] = ()
    #: When the first of those goes on that wait for a time; `None`: none does.
    wakes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFacts:
    """What the store knows."""

    #: The store's clock.
    now: datetime
    send: Send
    #: How many times it was made ready for a worker.
    dispatches: int
    #: Sends of its session that were accepted before it and have not ended.
    ahead: int
    #: The first send of its session that has not ended; `None`: all of them have.
    head_id: SendId | None
    #: Whether its session has moved on to it, so that it may be claimed.
    is_head: bool
    #: The lease of its owner, while it is running.
    owner: Lease | None
    workers: Workers
    #: Whether a worker that is alive may know its agent. False is certain: none was announced since the
    #: oldest of them started.
    agent_announced: bool
    #: How far the queue of its priority was taken: when the latest send that was claimed had been dispatched.
    marked_at: datetime | None
    #: The calls that have not ended, while it is running or waiting.
    calls: tuple[ToolCall, ...] = ()
    #: What people are asked for it, the oldest first, while it is waiting.
    questions: tuple[Interaction, ...] = ()
    #: The sends of the sub-agents that it waits for, while it is waiting.
    children: tuple[Send, ...] = ()
    #: The tool tasks that it waits for, while it is waiting.
    tasks: tuple[ToolTask, ...] = ()
    #: The runs of workflows that it waits for, while it is waiting. Their leaves are not among `children`.
    runs: tuple[RunFacts, ...] = ()
    #: Since when its session is paused; `None`: it is not.
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFacts:
    """A session lock that is held."""

    #: Its name where it is kept.
    key: str
    #: The process that holds it, ``host:pid``.
    process: str
    #: How long it lasts unless it is renewed; `None`: for ever, which no lock of ours should.
    lasts: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known of one send."""

    rows: SendFacts
    #: Claims without a commit in between, after which a send fails as poison.
    max_attempts: int
    #: The lock of its session; `None`: nobody holds it, or it could not be seen.
    lock: LockFacts | None = None
    #: Messages that wait on the queue of its priority; `None`: the broker did not answer, or was not asked.
    backlog: int | None = None
    #: What could not be seen, in words.
    unseen: str = ""
    #: Those of the first send of its session that has not ended, where it is another one.
    ahead: "Facts | None" = None
