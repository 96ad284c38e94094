"""Content blocks to JSON and back: the one wire form, used by the store, the client and the event stream."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)


def block_to_json(block: Block) -> dict[str, Any]:
    """One block as a JSON object; fields at their default are left out, `type` never is."""
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text}
        case ImageBlock():
            return {"type": "image", "media_type": block.media_type, **_given(data=block.data, url=block.url)}
        case ToolCallBlock():
            return {
                "type": "tool_call",
                "id": block.id,
                "name": block.name,
                "arguments": block.arguments,
                **_given(malformed=block.malformed),
            }
        case ToolResultBlock():
            return {
                "type": "tool_result",
                "call_id": block.call_id,
                "text": block.text,
                **_given(is_error=block.is_error),
            }
        case ReasoningBlock():
            return {
                "type": "reasoning",
                "text": block.text,
                **_given(signature=block.signature, redacted=block.redacted),
            }
    assert_never(block)


def block_from_json(data: Mapping[str, Any]) -> Block:
    """The block that `data` describes.

    Raises:
        InvalidInput: `data` has no known `type`, or lacks a field that its type needs.
    """
    try:
        match data["type"]:
            case "text":
                return TextBlock(text=data["text"])
            case "image":
                return ImageBlock(
                    data=data.get("data", ""),
                    url=data.get("url", ""),
                    media_type=data.get("media_type", "image/png"),
                )
            case "tool_call":
                return ToolCallBlock(
                    id=CallId(data["id"]),
                    name=data["name"],
                    arguments=data["arguments"],
                    malformed=data.get("malformed", ""),
                )
            case "tool_result":
                return ToolResultBlock(
                    call_id=CallId(data["call_id"]), text=data["text"], is_error=data.get("is_error", False)
                )
            case "reasoning":
                return ReasoningBlock(
                    text=data["text"],
                    signature=data.get("signature", ""),
                    redacted=data.get("redacted", False),
                )
            case other:
                raise InvalidInput(f"a content block has the unknown type {other!r}")
    except (KeyError, TypeError) as error:
        raise InvalidInput(f"a content block is not complete: {error!r} in {data!r:.200}") from error


def content_to_json(content: Iterable[Block]) -> list[dict[str, Any]]:
    """The blocks as a JSON array."""
    return [block_to_json(block) for block in content]


def content_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    """The blocks of a JSON array."""
    return tuple(block_from_json(item) for item in data)


def _given(**fields: str | bool) -> dict[str, str | bool]:
    return {name: value for name, value in fields.items() if value}
