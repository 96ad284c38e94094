"""Replies in the format of OpenAI's chat completions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.usage import Usage
from powerloop.testing.wire.reply import Reply, WireCall
from powerloop.testing.wire.request import WireRequest

_FINISH = {
    FinishReason.STOP: "stop",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.LENGTH: "length",
    FinishReason.REFUSAL: "content_filter",
}


def body_of(reply: Reply, request: WireRequest, ids: Iterator[int]) -> Mapping[str, Any]:
    """The answer to a request that is not streamed."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.whole_text or None}
    if reply.reasoning:
        message[reply.reasoning_field] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [_call(call, ids) for call in reply.calls]
    choice = {"index": 0, "message": message, "finish_reason": _FINISH[reply.reason]}
    return {
        **_frame(request, "chat.completion"),
        "choices": [choice],
        "usage": _usage(reply.usage),
    }


def events_of(reply: Reply, request: WireRequest, ids: Iterator[int]) -> Iterator[bytes]:
    """The answer to a streamed request."""
    frame = _frame(request, "chat.completion.chunk")
    for delta in _deltas(reply, ids):
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield _event({**frame, "choices": [choice]})
    yield _event({**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": _FINISH[reply.reason]}]})
    if (request.body.get("stream_options") or {}).get("include_usage"):
        yield _event({**frame, "choices": [], "usage": _usage(reply.usage)})
    yield b"data: [DONE]\n\n"


def error_of(reply: Reply) -> Mapping[str, Any]:
    """The body of an error."""
    return {"error": {"message": reply.error, "type": "wire_error", "param": None, "code": None}}


def error_event() -> bytes:
    """An error in the middle of a stream."""
    return _event({"error": {"message": "The server is overloaded.", "type": "server_error", "code": None}})


def _deltas(reply: Reply, ids: Iterator[int]) -> Iterator[Mapping[str, Any]]:
    yield {"role": "assistant", "content": ""}
    if reply.reasoning:
        yield {reply.reasoning_field: reply.reasoning}
    for piece in reply.pieces:
        yield {"content": piece}
    for index, call in enumerate(reply.calls):
        whole = _call(call, ids)
        arguments = whole["function"]["arguments"]
        yield {"tool_calls": [{**whole, "index": index, "function": {**whole["function"], "arguments": ""}}]}
        half = len(arguments) // 2
        for piece in (arguments[:half], arguments[half:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _call(call: WireCall, ids: Iterator[int]) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, str) else json.dumps(dict(call.arguments))
    return {
        "id": f"call_wire_{next(ids)}" if call.id is None else call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(usage: Usage) -> Mapping[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _frame(request: WireRequest, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-wire", "object": kind, "created": 0, "model": request.body.get("model", "")}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
