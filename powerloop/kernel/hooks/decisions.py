"""Decisions: what a hook may say. A hook that says nothing returns `None`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from powerloop.kernel.jsontypes import JSON, JSONObject
from powerloop.kernel.messages import Block, Message, NewMessage
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.tools import ToolSpec


@dataclass(frozen=True, slots=True)
class Veto:
    """It must not happen. Hooks that come later are not asked."""

    #: Why: for the model where a call is refused, for people where a send fails.
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeInstructions:
    """Another system prompt, for this claim of the send."""

    instructions: str


@dataclass(frozen=True, slots=True)
class ChangeMessages:
    """Other messages for the model to see in this round. The log keeps what it has."""

    messages: Sequence[Message | NewMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """Another request. What is `None` stays as it is."""

    system: str | None = None
    messages: Sequence[Message | NewMessage] | None = None
    #: What the model is told that it may call. The agent keeps its tools.
    tools: Sequence[ToolSpec] | None = None
    settings: ModelSettings | None = None


@dataclass(frozen=True, slots=True)
class ChangeReply:
    """Another answer in place of the model's. What it cost stays as it is."""

    #: Text, reasoning and tool calls.
    content: tuple[Block, ...]
    #: `None`: as the model said.
    finish: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class ChangeArguments:
    """Other arguments for the call to run with. The model's message keeps those that it asked with."""

    arguments: JSONObject


@dataclass(frozen=True, slots=True)
class ChangeText:
    """Another text for the model to see as the result of the call. The whole text behind it is dropped."""

    text: str


@dataclass(frozen=True, slots=True)
class ChangeMessage:
    """Another message to be written down: other texts or metadata, the same role, calls and results."""

    message: NewMessage


@dataclass(frozen=True, slots=True)
class ChangeInput:
    """Another input for the sub-agent, or for the send that the timer makes."""

    content: str | Block | Iterable[Block]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer, so that nobody is asked. In the form that a person would give it in; see `interactions`."""

    value: JSON


@dataclass(frozen=True, slots=True)
class Postpone:
    """Fire the timer later."""

    #: How much later, from now.
    by: timedelta


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Do not fire the timer, now or ever again."""

    #: Why, for people.
    reason: str = ""
