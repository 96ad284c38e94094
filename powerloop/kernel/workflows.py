"""Runs of workflows and their nodes, as the journal has them. Their states, and how each is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from powerloop.kernel.ids import CallId, NodeId, RunId, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject

#: The agent whose sends are runs. Every worker has it; its one call runs the workflow.
RUNNER: Final = "powerloop.workflow"
#: The agent that asks people what ``human`` nodes want to know.
ASKER: Final = "powerloop.person"

#: Why the end of a leaf's send is asked for, where its node has ended without it.
UNWANTED: Final = "nobody waits for it any more"

#: What the names of models begin with that are none: they make the call which their input describes.
DIRECT: Final = "direct:"
CALLER: Final = f"{DIRECT}call"

#: What the names of models begin with that are agents in processes of their own.
ISOLATED: Final = "isolated:"

#: What the names of our own agents begin with.
OWN_PREFIX: Final = "powerloop."


#: What the ids of messages begin with that move a run on.
RUN_MESSAGE: Final = "run:"


class RunStatus(StrEnum):
    """Where a run is in its life.

    ::

        (suspend) ─► open ─► done | failed | cancelled
                      ▲                │
                      └────────────────┘ resume
    """

    #: Its nodes run, wait or are to begin. `Journal.suspend` moves a run in, and so does a resume; `advance`
    #: moves it out, or the end of its send. It belongs to no process: a node that has ended and was not taken
    #: note of is found by the sweeper.
    OPEN = "open"
    #: Its root came to a value.
    DONE = "done"
    #: Its root failed, or its time or budget was used up.
    FAILED = "failed"
    #: Its send was cancelled.
    CANCELLED = "cancelled"


class NodeStatus(StrEnum):
    """Where one attempt at a node is in its life.

    ::

        (advance) ─► open ───────────────────────► done | skipped | failed | cancelled
            │                                               ▲
            ├──────► running ─► landed ─────────────────────┤
            │           └───────────────────────────────────┘
            └──────► delayed ─► open | running

    All but one edge are `Workflows.advance`: one transaction, under the lock of the run.
    """

    #: Others are in it, and have not all ended.
    OPEN = "open"
    #: A leaf: its send has not ended, or its time or signal has not come. If the process that drives the send
    #: dies, the send is recovered as any other.
    RUNNING = "running"
    #: Its send has ended: the transaction that ended it says so. Whoever advances the run next takes note; if
    #: nobody does, the sweeper has it done.
    LANDED = "landed"
    #: It failed before, and is to be tried again at a time.
    DELAYED = "delayed"
    #: It came to a value. Final.
    DONE = "done"
    #: Its condition did not hold. Final.
    SKIPPED = "skipped"
    #: It failed. Final for this attempt.
    FAILED = "failed"
    #: Nobody waits for it any more. Final.
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (NodeStatus.DONE, NodeStatus.SKIPPED, NodeStatus.FAILED, NodeStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be begun by a call, or to be gone on with."""

    call_id: CallId
    run_id: RunId
    #: The workflow; `None`: the run is there, and is resumed.
    spec: JSONObject | None
    input: Any
    #: What of it a resume repairs: see `Resume`.
    resume: "Resume | None" = None
    #: The session that is told of its end; `None`: none is.
    owner_id: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """How a run that has ended goes on: what has not come to a value is tried again."""

    #: Only the node of this path, and those that it is in; `None`: every one.
    path: str | None = None
    #: Whether that node is passed over, with this value, instead.
    skip: bool = False
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run of a workflow."""

    id: RunId
    #: The send that drives it now, and the call of it that waits for the run.
    send_id: SendId
    call_id: CallId
    session_id: SessionId
    #: The session that is told of its end.
    owner_id: SessionId | None
    #: Of the workflow.
    name: str
    status: RunStatus
    #: What it came to; the code and the words of why it failed.
    value: Any
    code: str
    message: str
    created_at: datetime
    paused_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One attempt at a node of a run; each iteration of a foreach or a loop has its own."""

    id: NodeId
    run_id: RunId
    #: `None` for the root.
    parent_id: NodeId | None
    #: Which one of its parent; -1 for a fallback.
    index: int
    #: Where it stands, for the eyes of people: ``root.steps[1].body#3``.
    path: str
    type: str
    #: The id that the spec gives it.
    name: str | None
    #: The node whose names it shares: the iteration, the workflow inside, or the root.
    frame_id: NodeId
    #: From 1.
    attempt: int
    status: NodeStatus
    #: Whether it is the last attempt, in the last attempt of all that it is in.
    current: bool = True
    #: How it was opened, if others are in it, without its items.
    opened: Mapping[str, Any] | None = None
    #: How many may be in it, have begun, have ended; of these, how many came to a value, and how many failed
    #: without leave.
    total: int = 0
    begun: int = 0
    ended: int = 0
    done: int = 0
    bad: int = 0
    #: Whether its fallback runs, or ran.
    fell_back: bool = False
    value: Any = None
    #: The node that has its value, where that is not this one.
    value_id: NodeId | None = None
    code: str = ""
    message: str = ""
    tolerated: bool = False
    #: Of a leaf that is driven by a send.
    send_id: SendId | None = None
    #: What it waits for.
    signal: str | None = None
    #: Until when it waits: for its time, its next attempt, or those in it.
    wakes_at: datetime | None = None
    #: When it fails, retries included.
    deadline_at: datetime | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafPlace:
    """Where in a run the send of a leaf belongs."""

    run_id: RunId
    node_id: NodeId
    #: The fan-out that it is in, how many that has, and which one of them it is; it is carried as a member of
    #: a chord of that name.
    group_id: NodeId | None = None
    group_size: int = 0
    group_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAdvance:
    """That a run has something to take note of: to be published, or done at once."""

    run_id: RunId
    #: The name of the workflow, for the eyes of an operator.
    name: str = ""
    priority: int = 0

    @property
    def id(self) -> str:
        """Of its message; that of the run is the id of a send, whose message is another."""
        return f"{RUN_MESSAGE}{self.run_id}"
