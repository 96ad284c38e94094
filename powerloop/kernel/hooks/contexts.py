"""Contexts: what a hook is told at each stage. They are for reading: what is to be changed is returned."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from powerloop.kernel.calls import ToolCall, ToolOutcome
from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Block, Message, NewMessage
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import ModelReply, ModelRequest
from powerloop.kernel.sends import Send
from powerloop.kernel.waits import Question, Spawn


@dataclass(frozen=True, slots=True, kw_only=True)
class HookContext:
    """What every context of a send has."""

    #: The send, as it was when it was claimed.
    send: Send
    #: The agent's `deps`: what the application wants its tools and hooks to have.
    deps: Any = None

    @property
    def session_id(self) -> SessionId:
        return self.send.session_id

    @property
    def send_id(self) -> SendId:
        return self.send.id

    @property
    def agent(self) -> str:
        """The name of the session's agent."""
        return self.send.agent

    @property
    def attempt(self) -> int:
        """How many times the send was claimed; 1 unless a process died."""
        return self.send.attempt

    @property
    def metadata(self) -> JSONObject:
        """The metadata of the send."""
        return self.send.metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStart(HookContext):
    """A process begins to drive a send."""

    #: The system prompt, as hooks before this one left it.
    instructions: str

    @property
    def is_first(self) -> bool:
        """Whether the session begins: this is its first send, and the first claim of it."""
        return self.send.position == 1 and self.send.attempt == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd(HookContext):
    """The send has ended."""

    #: How: `Ending.status`, `stop_reason`, `error`, `output`.
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundContext(HookContext):
    """What every context of a round has."""

    #: From 1.
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStart(RoundContext):
    """A round begins."""

    #: What the model is to see, as hooks before this one left it.
    messages: Sequence[Message | NewMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnd(RoundContext):
    """A round is over."""

    #: What the model said.
    content: tuple[Block, ...]
    #: The calls that it asked for, as they ended; none in the last round of a send.
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeModel(RoundContext):
    """The model is about to be asked."""

    #: As hooks before this one left it.
    request: ModelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterModel(RoundContext):
    """The model has answered."""

    request: ModelRequest
    #: As hooks before this one left it.
    reply: ModelReply


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext(RoundContext):
    """What every context of a tool call has."""

    call: ToolCall

    @property
    def call_id(self) -> CallId:
        return self.call.id


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeTool(CallContext):
    """A call is about to run, with its arguments as hooks before this one left them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterTool(CallContext):
    """A call has run, or failed."""

    #: As hooks before this one left it.
    outcome: ToolOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeCommit(RoundContext):
    """Something is about to be written down."""

    #: As hooks before this one left it. An `Ending` is one of a completed send.
    commit: ModelCommit | ResultsCommit | Ending
    #: What it appends to the log; `None`: nothing, or nothing yet.
    message: NewMessage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnRequested(CallContext):
    """A call is about to start a sub-agent."""

    #: Whom, and with what input, as hooks before this one left it.
    spawn: Spawn


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionOpened(CallContext):
    """A person is about to be asked about a call."""

    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFiring:
    """A timer of a session is due. There is no send yet."""

    session_id: SessionId
    #: The name of the session's agent.
    agent: str
    timer_id: str
    #: The instant of the tick, by its schedule.
    tick_at: datetime
    #: When it was to fire: later by its jitter, or as it was postponed.
    due_at: datetime
    #: The input of the send that it makes, as hooks before this one left it.
    content: tuple[Block, ...]
    #: The metadata of that send.
    metadata: JSONObject = field(default_factory=dict)
    #: The agent's `deps`.
    deps: Any = None
