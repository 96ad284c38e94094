"""Tool tasks: calls of tools that have a queue of their own. Their states, and the nouns of each edge."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from powerloop.kernel.calls import ToolCall
from powerloop.kernel.ids import CallId, SendId, SessionId, TaskId, WorkerId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.queues import Lane, QueueName
from powerloop.kernel.sends import Send, SendStatus


class TaskStatus(StrEnum):
    """Where a tool task is in its life.

    ::

        (suspend) ─► queued ─► running ─► ended
                       ▲          │
                       └──────────┘ hand-over, recovery
        its send ends ─► cancelled
    """

    #: It waits for a worker that serves its queue. `Journal.suspend` writes it, and whatever gives a running
    #: one back makes it queued again. It belongs to no process: a lost message is published again.
    QUEUED = "queued"
    #: One worker process runs the tool. `claim` moves a task in; `conclude` and `hand_over` move it out. If
    #: the process dies, its lease runs out, and the sweeper makes the task queued again.
    RUNNING = "running"
    #: Its call has ended, or waits for something else. Final.
    ENDED = "ended"
    #: Its send ended without it. Final.
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (TaskStatus.ENDED, TaskStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToolTask:
    """A call that is to run on a queue of its own."""

    id: TaskId
    call_id: CallId
    #: The name of the tool.
    tool: str
    queue: QueueName
    #: What it runs with: a hook may have changed what the model asked for.
    arguments: JSONObject
    #: Whether a person has changed the arguments, of which the model is to be told.
    edited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolTask:
    """A call that runs on a queue of its own."""

    id: TaskId
    session_id: SessionId
    send_id: SendId
    #: The send that the tree of its send goes back to.
    root_id: SendId
    #: The call that waits for it.
    call_id: CallId
    #: As `NewToolTask` has them.
    tool: str
    queue: QueueName
    arguments: JSONObject
    edited: bool
    #: That of its send.
    priority: int
    status: TaskStatus
    #: How many times it was claimed; its fence: every write of a claim asks for it.
    attempt: int
    #: Claims in a row whose process died. A task that kills its process each time is given up.
    strikes: int
    #: The process that runs it, or ran it last.
    owner: WorkerId | None
    created_at: datetime
    dispatched_at: datetime | None
    #: When it was first claimed.
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def lane(self) -> Lane:
        """The part of its queue that it waits in."""
        return Lane(self.queue, self.priority)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClaim:
    """A tool task that is ours to run."""

    task: ToolTask
    send: Send
    call: ToolCall


def is_ending(send: Send) -> bool:
    """Whether nobody waits for the tasks of the send any more.

    A send that runs while a task of it does has been woken to be ended: its time is over, or somebody asked.
    """
    return send.cancel is not None or send.status is SendStatus.RUNNING or send.status.is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTask:
    """A tool task, as its owner's row in the database has it."""

    task_id: TaskId
    attempt: int
    #: Whether its send is to end, or has ended: nobody waits for it.
    cancelled: bool
