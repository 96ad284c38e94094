"""Replies in the format of Anthropic's messages."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.usage import Usage
from powerloop.testing.wire.reply import Reply, WireCall
from powerloop.testing.wire.request import WireRequest

_FINISH = {
    FinishReason.STOP: "end_turn",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.REFUSAL: "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def body_of(reply: Reply, request: WireRequest, ids: Iterator[int]) -> Mapping[str, Any]:
    """The answer to a request that is not streamed."""
    return {
        **_frame(request),
        "content": [block for block, _ in _blocks(reply, ids)],
        "stop_reason": _FINISH[reply.reason],
        "usage": {**_input_usage(reply.usage), **_output_usage(reply.usage)},
    }


def events_of(reply: Reply, request: WireRequest, ids: Iterator[int]) -> Iterator[bytes]:
    """The answer to a streamed request."""
    message = {**_frame(request), "content": [], "usage": {**_input_usage(reply.usage), "output_tokens": 1}}
    yield _event("message_start", message=message)
    yield _event("ping")
    for index, (block, deltas) in enumerate(_blocks(reply, ids)):
        yield _event("content_block_start", index=index, content_block=_emptied(block))
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event(
        "message_delta",
        delta={"stop_reason": _FINISH[reply.reason], "stop_sequence": None},
        usage=_output_usage(reply.usage),
    )
    yield _event("message_stop")


def error_of(reply: Reply) -> Mapping[str, Any]:
    """The body of an error."""
    kind = _ERROR_TYPES.get(reply.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": reply.error}}


def error_event() -> bytes:
    """An error in the middle of a stream."""
    return _event("error", error={"type": "overloaded_error", "message": "The server is overloaded."})


def _blocks(reply: Reply, ids: Iterator[int]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each content block, and the deltas that make it up in a stream."""
    if reply.reasoning:
        yield (
            {"type": "thinking", "thinking": reply.reasoning, "signature": reply.signature},
            [
                {"type": "thinking_delta", "thinking": reply.reasoning},
                {"type": "signature_delta", "signature": reply.signature},
            ],
        )
    if reply.redacted_reasoning:
        yield {"type": "redacted_thinking", "data": reply.redacted_reasoning}, []
    if reply.pieces:
        yield (
            {"type": "text", "text": reply.whole_text},
            [{"type": "text_delta", "text": piece} for piece in reply.pieces],
        )
    for call in reply.calls:
        yield _call(call, ids)


def _call(call: WireCall, ids: Iterator[int]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    written = call.arguments if isinstance(call.arguments, str) else _written(call.arguments)
    half = len(written) // 2
    block = {
        "type": "tool_use",
        "id": f"toolu_wire_{next(ids)}" if call.id is None else call.id,
        "name": call.name,
        "input": call.arguments if isinstance(call.arguments, str) else dict(call.arguments),
    }
    deltas = [
        {"type": "input_json_delta", "partial_json": piece} for piece in ("", written[:half], written[half:])
    ]
    return block, deltas


def _written(arguments: Mapping[str, Any]) -> str:
    """Anthropic streams nothing at all for a call without arguments."""
    return json.dumps(dict(arguments)) if arguments else ""


def _emptied(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """A block as a stream starts it: what the deltas bring is not there yet."""
    empty: Mapping[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {name: empty.get(name, value) for name, value in block.items()}


def _input_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
    }


def _output_usage(usage: Usage) -> dict[str, Any]:
    return {
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _frame(request: WireRequest) -> dict[str, Any]:
    return {
        "id": "msg_wire",
        "type": "message",
        "role": "assistant",
        "model": request.body.get("model", ""),
        "stop_reason": None,
        "stop_sequence": None,
    }


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
