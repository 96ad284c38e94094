"""Explanations: the answer to "why is this not running?"."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from powerloop.kernel.explain.facts import Facts


class Cause(StrEnum):
    """Why a send is not running. The values are stable."""

    # It ended.
    COMPLETED = "completed"
    #: It ended since its budget, or that of a send above it, was used up.
    BUDGET = "budget"
    FAILED = "failed"
    #: It failed, or fails when it is taken next: no claim of it came to a commit.
    POISON = "poison"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MERGED = "merged"

    # It has started.
    #: It does run.
    RUNNING = "running"
    #: The process that runs it is dead.
    OWNER_DEAD = "owner_dead"
    #: Its end was asked for, and is near.
    CANCEL_REQUESTED = "cancel_requested"
    WAITS_FOR_PERSON = "waits_for_person"
    WAITS_FOR_CHILDREN = "waits_for_children"
    #: It waits for calls that run on queues of their own.
    WAITS_FOR_TOOL = "waits_for_tool"
    WAITS_FOR_TIME = "waits_for_time"
    #: It waits for a run of a workflow.
    WAITS_FOR_RUN = "waits_for_run"
    #: It waits for a tool call, and it is not known what for.
    WAITS_FOR_CALL = "waits_for_call"
    #: What it waited for is there, and nobody has woken it yet.
    WAIT_IS_OVER = "wait_is_over"

    # It is queued.
    #: Nobody may claim it until its session is resumed.
    PAUSED = "paused"
    #: Another send of its session has its turn.
    BEHIND = "behind"
    #: It has its turn, and nobody has made it ready for a worker yet.
    NOT_DISPATCHED = "not_dispatched"
    NO_WORKER = "no_worker"
    #: No worker that is alive knows its agent.
    AGENT_UNKNOWN = "agent_unknown"
    #: A process holds the lock of its session.
    LOCK_HELD = "lock_held"
    #: One more claim without a commit makes it poison.
    LAST_CHANCE = "last_chance"
    #: Its message is not in the broker any more.
    MESSAGE_LOST = "message_lost"
    #: The broker does not answer.
    BROKER_AWAY = "broker_away"
    #: Its message is in the broker, and other messages are too.
    BACKLOG = "backlog"
    #: Its message was published just now, and a worker is at it.
    STARTING = "starting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a send is not running."""

    code: Cause
    #: One paragraph.
    text: str
    #: What to do; empty where there is nothing to do.
    hint: str = ""
    #: Why the send ahead of it is not done, where the code is `BEHIND`.
    because: "Explanation | None" = None


#: Looks for one cause; `None`: that is not it.
Look: TypeAlias = Callable[[Facts], Explanation | None]
