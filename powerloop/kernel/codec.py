"""Content blocks and budgets to JSON and back: the one wire form, of the store, the client and the stream."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, assert_never

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId
from powerloop.kernel.limits import Budget
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


def budget_to_json(budget: Budget) -> dict[str, Any]:
    """The limits as a JSON object: ``cost`` a text of dollars, ``wall_clock_s`` in seconds. What is not
    limited is left out."""
    limits = {limit.name: getattr(budget, limit.name) for limit in fields(budget)}
    cost, span = limits.pop("cost"), limits.pop("wall_clock")
    limits |= {"cost": cost and str(cost), "wall_clock_s": span and span.total_seconds()}
    return {name: limit for name, limit in limits.items() if limit is not None}


def budget_from_json(data: Mapping[str, Any]) -> Budget:
    """The budget that `data` describes; a cost may be a number too.

    Raises:
        InvalidInput: a limit is unknown, or is none.
    """
    limits = dict(data)
    cost, span = limits.pop("cost", None), limits.pop("wall_clock_s", None)
    try:
        return Budget(
            cost=None if cost is None else Decimal(str(cost)),
            wall_clock=None if span is None else timedelta(seconds=span),
            **limits,
        )
    except (TypeError, OverflowError, InvalidOperation) as error:
        known = "input_tokens, output_tokens, total_tokens, cost, wall_clock_s"
        raise InvalidInput(f"{data!r:.200} is no budget.", hint=f"It may have {known}.") from error


def _given(**fields: str | bool) -> dict[str, str | bool]:
    return {name: value for name, value in fields.items() if value}
