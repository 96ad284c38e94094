"""Waits: what a tool call may wait for outside of every process.

A tool that has to wait returns one of these instead of its result. Its send is then suspended: it is a row,
and nothing else, until whoever resolves the wait stores the result and wakes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from powerloop.kernel.ids import CallId, RunId, SessionId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Block
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.workflows import Resume


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Wait for a person. The answer is the result of the call."""

    #: In words, for the person.
    prompt: str
    kind: InteractionKind = InteractionKind.INPUT
    #: JSON Schema that the answer must match; `None`: any JSON will do.
    schema: JSONObject | None = None
    #: What may be chosen from; empty: anything that the schema allows.
    choices: tuple[Any, ...] = ()
    #: How long an answer is waited for; `None`: for ever.
    within: timedelta | None = None
    #: The answer when that time is over; `None`: the call fails then.
    default: Any = None


class SpawnMode(StrEnum):
    """What a parent does while its sub-agent runs."""

    #: It waits, without a slot: the sub-agent's answer is the result of the call.
    WAIT = "wait"
    #: It goes on with a receipt: the answer comes later, as a send that steers.
    DETACH = "detach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Start a sub-agent: a session and a send of its own."""

    #: The agent's name; for one that is described by `spec`, the name that it shall go by.
    agent: str
    content: tuple[Block, ...]
    #: How it differs from an agent that workers know: see `kernel.subagents.narrowed`.
    spec: JSONObject | None = None
    mode: SpawnMode = SpawnMode.WAIT
    lifecycle: Lifecycle = Lifecycle.LINKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait for a time: so long from now, or until then. One of the two is given."""

    lasts: timedelta | None = None
    #: Aware.
    until: datetime | None = None
    #: The result of the call, once the time has come.
    result: str = "The time has come."


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Wait for a worker of another queue, which runs the call. Tools do not return it: their spec says so."""

    queue: QueueName
    #: What the call runs with.
    arguments: JSONObject
    #: Whether a person has changed the arguments, of which the model is to be told.
    edited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWorkflow:
    """Wait for a run of a workflow. Only our own agent's tool returns it."""

    #: `None`: the run of this id goes on after its end.
    spec: JSONObject | None
    input: Any = None
    run_id: RunId | None = None
    resume: Resume | None = None
    #: The session that is told of its end.
    owner_id: SessionId | None = None


#: What a tool may return to wait for.
Wait: TypeAlias = Question | Spawn | Sleep | RunWorkflow


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWait:
    """That a call, instead of ending, waits."""

    call_id: CallId
    wait: Wait | Queued
