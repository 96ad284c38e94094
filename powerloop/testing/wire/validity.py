"""What the providers refuse with a 400: transcripts in which a tool call and its result do not meet."""

from collections.abc import Mapping, Sequence
from typing import Any

from powerloop.testing.wire.request import WireRequest


def find_fault(request: WireRequest) -> str | None:
    """Why the provider would refuse the request, or `None`."""
    if not request.messages:
        return "messages: at least one message is required"
    return _openai_fault(request) if request.api == "openai" else _anthropic_fault(request)


def _openai_fault(request: WireRequest) -> str | None:
    """Each assistant message with tool calls is followed by one tool message per call, and only there."""
    open_calls: set[str] = set()
    for position, message in enumerate(request.messages):
        if message.get("role") == "tool":
            if (call_id := message.get("tool_call_id")) not in open_calls:
                return f"messages.{position}: a tool message must answer a call of the message before it"
            open_calls.discard(str(call_id))
            continue
        if open_calls:
            return f"messages.{position}: these tool calls have no result: {sorted(open_calls)}"
        ids = [str(call.get("id")) for call in message.get("tool_calls") or ()]
        if "" in ids or len(set(ids)) < len(ids):
            return f"messages.{position}: tool calls need ids, each its own: {ids}"
        open_calls = set(ids)
    return f"these tool calls have no result: {sorted(open_calls)}" if open_calls else None


def _anthropic_fault(request: WireRequest) -> str | None:
    """Each tool_use has its tool_result in the next message, and no tool_result stands elsewhere."""
    if not request.body.get("max_tokens"):
        return "max_tokens: field required"
    used: list[str] = []
    before = ""
    for position, message in enumerate(request.messages):
        role = str(message.get("role"))
        blocks = _blocks(message)
        if role == before:
            return f"messages.{position}: roles must alternate"
        answered = [str(block["tool_use_id"]) for block in blocks if block.get("type") == "tool_result"]
        if sorted(answered) != sorted(used):
            return f"messages.{position}: the tool_use ids {used} were answered by {answered}"
        if not blocks or any(_is_empty(block) for block in blocks):
            return f"messages.{position}: text content blocks must be non-empty"
        used = [str(block["id"]) for block in blocks if block.get("type") == "tool_use"]
        before = role
    if used:
        return f"the tool_use ids {used} were never answered"
    return _cache_fault(request)


def _cache_fault(request: WireRequest) -> str | None:
    system = request.body.get("system") or ()
    parts = [*request.body.get("tools", ()), *(system if not isinstance(system, str) else ())]
    for message in request.messages:
        parts += _blocks(message)
    marked = sum("cache_control" in part for part in parts)
    return f"a maximum of 4 blocks with cache_control may be provided, found {marked}" if marked > 4 else None


def _blocks(message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    content = message.get("content") or ()
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _is_empty(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and not str(block.get("text", "")).strip()
