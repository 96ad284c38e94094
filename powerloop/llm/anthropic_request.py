"""A request in the format of Anthropic's messages."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, assert_never

from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from powerloop.kernel.ports.model import ModelRequest
from powerloop.kernel.tools import ToolSpec
from powerloop.llm.openai_request import REASONING_FIELDS

Wire: TypeAlias = dict[str, Any]

MAX_OUTPUT_TOKENS = 8192
_CACHE = {"type": "ephemeral"}
#: A breakpoint stands after the tools, the system prompt, and this many of the last user messages: the newest
#: is written now, the other was written by the round before. The provider takes four in all.
_CACHED_MESSAGES = 2
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def encode(request: ModelRequest, *, streamed: bool) -> Wire:
    """The body of the HTTP request."""
    settings = request.settings
    body: Wire = {
        "model": request.model.partition(":")[2],
        "max_tokens": settings.max_output_tokens or MAX_OUTPUT_TOKENS + (settings.reasoning_tokens or 0),
        "messages": _cached(_messages(request)),
    }
    if request.system:
        body["system"] = [{"type": "text", "text": request.system, "cache_control": _CACHE}]
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
        body["tools"][-1]["cache_control"] = _CACHE
        if request.tool_choice == "none":
            body["tool_choice"] = {"type": "none"}
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.reasoning_tokens is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": settings.reasoning_tokens}
    if streamed:
        body["stream"] = True
    return {**body, **settings.extra}


def _messages(request: ModelRequest) -> list[Wire]:
    """The messages. Results are the user's; neighbours of one role are one; empty ones are left out."""
    messages: list[Wire] = []
    for message in request.messages:
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = list(_blocks(message.content))
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    return messages


def _cached(messages: list[Wire]) -> list[Wire]:
    """The same with a breakpoint at the end of the last user messages."""
    users = [message for message in messages[-2 * _CACHED_MESSAGES :] if message["role"] == "user"]
    for message in users[-_CACHED_MESSAGES:]:
        message["content"][-1]["cache_control"] = _CACHE
    return messages


def _blocks(content: Iterable[Block]) -> Iterator[Wire]:
    for block in content:
        if encoded := _block(block):
            yield encoded


def _block(block: Block) -> Wire | None:
    """The block, or `None` for one that the provider would refuse."""
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text} if block.text.strip() else None
        case ImageBlock():
            return {"type": "image", "source": _source(block)}
        case ToolCallBlock():
            return {
                "type": "tool_use",
                "id": _id(block.id),
                "name": block.name,
                "input": dict(block.arguments),
            }
        case ToolResultBlock():
            return _result(block)
        case ReasoningBlock():
            return _reasoning(block)
    assert_never(block)


def _source(image: ImageBlock) -> Wire:
    if image.url:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.media_type, "data": image.data}


def _result(block: ToolResultBlock) -> Wire:
    result: Wire = {"type": "tool_result", "tool_use_id": _id(block.call_id), "content": block.text}
    if block.is_error:
        result["is_error"] = True
    return result


def _reasoning(block: ReasoningBlock) -> Wire | None:
    """The reasoning as it came. Another provider's has no signature of Anthropic's, and is left out."""
    if not block.signature or block.signature in REASONING_FIELDS:
        return None
    if block.redacted:
        return {"type": "redacted_thinking", "data": block.signature}
    return {"type": "thinking", "thinking": block.text, "signature": block.signature}


def _id(call_id: str) -> str:
    """The id in the characters that the provider takes: other providers' ids have dots and colons in them."""
    return _FOREIGN.sub("_", call_id)


def _tool(spec: ToolSpec) -> Wire:
    return {"name": spec.name, "description": spec.description, "input_schema": dict(spec.parameters)}
