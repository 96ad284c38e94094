"""An answer in the format of OpenAI's chat completions, put together from its pieces."""

from collections.abc import Iterable, Mapping
from typing import Any

from powerloop.kernel.estimate import characters_of, estimate_usage
from powerloop.kernel.messages import Block, ReasoningBlock, TextBlock
from powerloop.kernel.ports.model import Deltas, FinishReason, ModelReply, ModelRequest
from powerloop.kernel.usage import Usage
from powerloop.llm.calls import WrittenCall, block_of
from powerloop.llm.openai_request import REASONING_FIELDS

_FINISHES = {
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.REFUSAL,
}


class OpenAIAnswer:
    """Takes the chunks of a stream, or a whole completion: its message is a chunk with everything in it."""

    def __init__(self, request: ModelRequest, deltas: Deltas | None) -> None:
        self._request = request
        self._deltas = deltas
        self._text: list[str] = []
        self._reasoning: dict[str, list[str]] = {}
        self._calls: list[WrittenCall] = []
        self._by_index: dict[int, WrittenCall] = {}
        self._finish: str | None = None
        self._refused = False
        self._usage: Usage | None = None

    @property
    def began(self) -> bool:
        """Whether anything was said."""
        return bool(self._text or self._reasoning or self._calls)

    @property
    def ended(self) -> bool:
        """Whether it came to its end: a connection may break between two chunks."""
        return self._finish is not None or self._usage is not None

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Add a chunk, or a whole completion."""
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)
        for choice in chunk.get("choices") or ():
            self._take_delta(choice.get("delta") or choice.get("message") or {})
            self._finish = choice.get("finish_reason") or self._finish

    def reply(self) -> ModelReply:
        """The whole answer."""
        calls = [block_of(call) for call in self._calls]
        content: list[Block] = [
            ReasoningBlock(text="".join(pieces), signature=field) for field, pieces in self._reasoning.items()
        ]
        if text := "".join(self._text):
            content.append(TextBlock(text=text))
        content += calls
        return ModelReply(
            content=tuple(content),
            finish=self._finish_reason(bool(calls)),
            usage=self._usage or estimate_usage(self._request, characters_of(content)),
            estimated=self._usage is None,
        )

    def _finish_reason(self, calls: bool) -> FinishReason:
        if self._refused:
            return FinishReason.REFUSAL
        finish = _FINISHES.get(self._finish or "", FinishReason.STOP)
        # Some servers say "stop" after calls, and some "tool_calls" without any.
        if finish in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            return FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        return finish

    def _take_delta(self, delta: Mapping[str, Any]) -> None:
        for field in REASONING_FIELDS:
            if piece := delta.get(field):
                self._take_reasoning(field, piece)
        self._take_text(_text(delta.get("content")))
        if refusal := delta.get("refusal"):
            self._refused = True
            self._take_text(refusal)
        for position, piece in enumerate(delta.get("tool_calls") or ()):
            index = piece.get("index")
            self._take_call(position if index is None else index, piece)

    def _take_text(self, piece: str) -> None:
        if piece:
            self._text.append(piece)
            if self._deltas:
                self._deltas.text(piece)

    def _take_reasoning(self, field: str, piece: str) -> None:
        # A server that sends it in both fields sends it twice.
        if self._reasoning and field not in self._reasoning:
            return
        self._reasoning.setdefault(field, []).append(piece)
        if self._deltas:
            self._deltas.reasoning(piece)

    def _take_call(self, index: int, piece: Mapping[str, Any]) -> None:
        function = piece.get("function") or {}
        call_id, name = piece.get("id") or "", function.get("name") or ""
        call = self._open_call(index, call_id, name)
        call.id = call.id or call_id
        call.name = call.name or name
        call.arguments += function.get("arguments") or ""

    def _open_call(self, index: int, call_id: str, name: str) -> WrittenCall:
        """The call that a piece belongs to.

        Pieces of one call share its index. Some servers give one index to several calls: then a name that
        comes with another id, or with none, begins the next call.
        """
        call = self._by_index.get(index)
        if call is None or (name and call.name and (not call_id or call_id != call.id)):
            call = self._by_index[index] = WrittenCall()
            self._calls.append(call)
        return call


def _text(content: str | Iterable[Mapping[str, Any]] | None) -> str:
    """The text of a content that may be a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content if part.get("type") == "text")


def _usage(usage: Mapping[str, Any]) -> Usage:
    read = usage.get("prompt_tokens_details") or {}
    written = usage.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=usage.get("prompt_tokens") or 0,
        output_tokens=usage.get("completion_tokens") or 0,
        cached_tokens=read.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0,
        reasoning_tokens=written.get("reasoning_tokens") or 0,
    )
