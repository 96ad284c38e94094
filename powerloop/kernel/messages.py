"""Messages and their typed content blocks: what a session's log is made of."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from powerloop.kernel.ids import CallId, Epoch, SendId, Seq
from powerloop.kernel.jsontypes import JSONObject


class Role(StrEnum):
    """Who speaks."""

    #: The person or program that sends. Tool results are messages of role `TOOL`.
    USER = "user"
    #: The model.
    ASSISTANT = "assistant"
    #: The results of one round's tool calls, all of them in one message.
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """Plain text."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBlock:
    """An image, by value or by address."""

    #: Base64 of the file, or empty when `url` is given.
    data: str = ""
    #: Where the provider can fetch it, or empty when `data` is given.
    url: str = ""
    media_type: str = "image/png"
    type: Literal["image"] = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallBlock:
    """The model asks for one call of one tool."""

    id: CallId
    name: str
    arguments: JSONObject
    #: Set when the model's arguments were not a JSON object: what it wrote instead. `arguments` is then
    #: empty.
    malformed: str = ""
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultBlock:
    """What became of one call."""

    call_id: CallId
    #: What the model sees.
    text: str
    is_error: bool = False
    type: Literal["tool_result"] = "tool_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningBlock:
    """The model's own reasoning. Some providers refuse the next request unless it comes back unchanged."""

    text: str
    #: The provider's proof that the text is its own (Anthropic: ``signature``; redacted: ``data``).
    signature: str = ""
    redacted: bool = False
    type: Literal["reasoning"] = "reasoning"


Block: TypeAlias = TextBlock | ImageBlock | ToolCallBlock | ToolResultBlock | ReasoningBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message that has no place in a log yet."""

    role: Role
    content: tuple[Block, ...]
    #: ``{"finish": "cancelled"}`` where the model was cut off by a cancel.
    metadata: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry of a session's log. Never changed after its commit."""

    seq: Seq
    role: Role
    content: tuple[Block, ...]
    send_id: SendId
    #: The epoch under which it was written.
    epoch: Epoch
    created_at: datetime
    metadata: JSONObject = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return text_of(self.content)


def text_of(content: Iterable[Block]) -> str:
    """The text blocks of `content`, joined without a separator; other blocks are left out."""
    return "".join(block.text for block in content if isinstance(block, TextBlock))


def calls_of(content: Iterable[Block]) -> tuple[ToolCallBlock, ...]:
    """The tool calls of `content`, in the model's order."""
    return tuple(block for block in content if isinstance(block, ToolCallBlock))


def user_message(text: str) -> NewMessage:
    """A user message of one text block."""
    return NewMessage(role=Role.USER, content=(TextBlock(text=text),))


def input_content(value: "str | Block | Iterable[Block]") -> tuple[Block, ...]:
    """What a producer may give as input, as content blocks."""
    if isinstance(value, str):
        return (TextBlock(text=value),)
    if isinstance(value, TextBlock | ImageBlock):
        return (value,)
    if isinstance(value, ToolCallBlock | ToolResultBlock | ReasoningBlock):
        raise TypeError(f"a {value.type} block cannot be an input: use text and image blocks")
    return tuple(block for item in value for block in input_content(item))
