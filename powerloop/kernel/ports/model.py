"""The model port: one call of one model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import Block, Message, NewMessage
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.tools import ToolSpec
from powerloop.kernel.usage import ModelCallEntry, Usage


class FinishReason(StrEnum):
    """Why the model stopped writing."""

    #: It had said what it had to say.
    STOP = "stop"
    #: It asks for tool calls.
    TOOL_CALLS = "tool_calls"
    #: Its output limit cut it off.
    LENGTH = "length"
    #: It, or a filter of its provider, declined.
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What the model is asked."""

    #: ``provider:model``.
    model: str
    #: The system prompt; may be empty.
    system: str
    messages: Sequence[Message | NewMessage]
    tools: Sequence[ToolSpec] = ()
    #: ``none``: the model may not call the tools that it is shown.
    tool_choice: Literal["auto", "none"] = "auto"
    settings: ModelSettings = field(default_factory=ModelSettings)
    #: The longest that the answer may take, retries included.
    deadline: timedelta = timedelta(minutes=5)
    #: For whom; never sent to a provider. Scripts are chosen by it.
    session_id: SessionId = SessionId("")
    send_id: SendId = SendId("")
    #: Which attempt at this request it is, from 1; counted by whoever tries again, never sent to a provider.
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """What the model answered."""

    #: In the model's order: reasoning, text, tool calls. Call ids are as the provider gave them, never empty.
    content: tuple[Block, ...]
    finish: FinishReason
    usage: Usage
    #: Whether `usage` is our estimate: the provider never told.
    estimated: bool = False
    #: One entry for each attempt, failed ones included, the successful one last.
    attempts: tuple[ModelCallEntry, ...] = ()


class Deltas(Protocol):
    """Takes the answer while it is written."""

    def text(self, delta: str) -> None:
        """A piece of the answer's text."""
        ...

    def reasoning(self, delta: str) -> None:
        """A piece of the model's reasoning."""
        ...

    def rewind(self) -> None:
        """Everything so far is void: the attempt failed and another one begins."""
        ...


class Model(Protocol):
    """Something that answers requests. Safe to use from many coroutines of one event loop."""

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        """Answer the request; streamed from the provider exactly if `deltas` is given.

        Raises:
            ModelRejected: the request is wrong, for good.
            ModelUnauthorized: the key is wrong.
            RateLimited: the provider asks for patience.
            ModelUnavailable: the provider is away, broken, or broke off.
            EmptyAnswer: neither text nor a tool call came.
            ModelDeadline: `request.deadline` ran out.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class Models(Protocol):
    """Every model by its name."""

    def get(self, name: str) -> Model:
        """The model called ``provider:model``; the same object for the same provider.

        Raises:
            ProviderUnknown: no provider has that name.
            SdkMissing: the provider's SDK is not installed.
            KeyMissing: the provider has no key.
        """
        ...

    def cost_of(self, name: str, usage: Usage) -> Decimal | None:
        """What the usage of one call of ``provider:model`` costs, in US dollars (`powerloop.kernel.money`);
        `None`: its price is not known."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
