"""An answer in the format of Anthropic's messages, put together from its pieces."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from powerloop.kernel.estimate import characters_of, estimate_usage
from powerloop.kernel.messages import Block, ReasoningBlock, TextBlock, ToolCallBlock
from powerloop.kernel.ports.model import Deltas, FinishReason, ModelReply, ModelRequest
from powerloop.kernel.usage import Usage
from powerloop.llm.calls import WrittenCall, block_of

_FINISHES = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    # The provider wants to be asked again, to go on with tools of its own: what it said so far stands.
    "pause_turn": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSAL,
}
#: What a delta brings, by its type: the field of the delta, and the field of the block that it adds to.
_GROWTH = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "json"),
}


class AnthropicAnswer:
    """Takes the events of a stream, or a whole message."""

    def __init__(self, request: ModelRequest, deltas: Deltas | None) -> None:
        self._request = request
        self._deltas = deltas
        #: The content blocks by their index, in the model's order.
        self._blocks: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}

    @property
    def began(self) -> bool:
        """Whether anything was said."""
        return bool(self._blocks)

    @property
    def ended(self) -> bool:
        """Whether it came to its end: a connection may break between two events."""
        return self._finish is not None

    def take_message(self, message: Mapping[str, Any]) -> None:
        """Take a whole message."""
        self._blocks = dict(enumerate(message["content"]))
        self._finish = message.get("stop_reason")
        self._take_usage(message)

    def take_event(self, event: Mapping[str, Any]) -> None:
        """Add an event of a stream."""
        match event.get("type"):
            case "message_start":
                self._take_usage(event["message"])
            case "content_block_start":
                self._blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                self._grow(self._blocks[event["index"]], event["delta"])
            case "message_delta":
                self._finish = event["delta"].get("stop_reason") or self._finish
                self._take_usage(event)
            case _:
                return

    def reply(self) -> ModelReply:
        """The whole answer."""
        content = tuple(self._content())
        usage = self._total()
        return ModelReply(
            content=content,
            finish=self._finish_reason(content),
            usage=usage or estimate_usage(self._request, characters_of(content)),
            estimated=usage is None,
        )

    def _take_usage(self, carrier: Mapping[str, Any]) -> None:
        usage: Mapping[str, Any] = carrier.get("usage") or {}
        self._usage.update({name: value for name, value in usage.items() if value is not None})

    def _grow(self, block: dict[str, Any], delta: Mapping[str, Any]) -> None:
        source, target = _GROWTH.get(delta["type"], ("", ""))
        piece = delta.get(source)
        if not piece:
            return
        block[target] = block.get(target, "") + piece
        if self._deltas and target == "text":
            self._deltas.text(piece)
        if self._deltas and target == "thinking":
            self._deltas.reasoning(piece)

    def _content(self) -> Iterator[Block]:
        for _, block in sorted(self._blocks.items()):
            match block.get("type"):
                case "text" if block["text"]:
                    yield TextBlock(text=block["text"])
                case "thinking":
                    yield ReasoningBlock(text=block["thinking"], signature=block.get("signature", ""))
                case "redacted_thinking":
                    yield ReasoningBlock(text="", signature=block["data"], redacted=True)
                case "tool_use":
                    yield block_of(_written(block))
                case _:
                    continue

    def _finish_reason(self, content: tuple[Block, ...]) -> FinishReason:
        finish = _FINISHES.get(self._finish or "", FinishReason.STOP)
        calls = any(isinstance(block, ToolCallBlock) for block in content)
        if finish in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            return FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        return finish

    def _total(self) -> Usage | None:
        """The usage. Anthropic counts tokens that its cache read or wrote apart from the others."""
        if not self._usage:
            return None
        read = self._usage.get("cache_read_input_tokens", 0)
        written = self._usage.get("cache_creation_input_tokens", 0)
        details = self._usage.get("output_tokens_details", {})
        return Usage(
            input_tokens=self._usage.get("input_tokens", 0) + read + written,
            output_tokens=self._usage.get("output_tokens", 0),
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=details.get("thinking_tokens", 0),
        )


def _written(block: Mapping[str, Any]) -> WrittenCall:
    """The call: a stream brings its arguments as JSON text, a whole message as an object."""
    arguments = block.get("json") or json.dumps(block["input"])
    return WrittenCall(id=block.get("id", ""), name=block.get("name", ""), arguments=arguments)
