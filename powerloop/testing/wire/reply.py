"""What the wire server answers, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCall:
    """A tool call in a reply."""

    name: str
    #: An object; or a string, sent as it stands, so that a test can send what is not JSON.
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    #: `None`: made up, unique. An empty string is sent as such, as some servers do.
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the wire server: a text, calls, an error, or a broken connection."""

    text: str = ""
    #: The pieces in which the text is streamed, instead of `text`, which is streamed word by word.
    chunks: tuple[str, ...] = ()
    reasoning: str = ""
    #: The field of OpenAI's format that carries the reasoning: servers differ.
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    #: Anthropic's proof of the reasoning.
    signature: str = "signed"
    #: Anthropic's encrypted reasoning.
    redacted_reasoning: str = ""
    calls: tuple[WireCall, ...] = ()
    #: `None`: ``tool_calls`` if there are calls, otherwise ``stop``.
    finish: FinishReason | None = None
    #: In powerloop's terms: `input_tokens` includes the cached ones.
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=10, output_tokens=5))
    #: An HTTP status that is not 200 makes the reply an error.
    status: int = 200
    error: str = "The wire server was told to fail."
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Before the first byte, in addition to the server's latency.
    delay: timedelta = timedelta(0)
    #: Before each further event of a stream.
    pace: timedelta = timedelta(0)
    #: Cut the connection after that many events of a stream, or, where nothing is streamed, in mid-body.
    drop_after: int | None = None
    #: Send an error event after that many events of a stream, as an overloaded provider does.
    error_after: int | None = None

    @property
    def reason(self) -> FinishReason:
        """Why the model stopped."""
        return self.finish or (FinishReason.TOOL_CALLS if self.calls else FinishReason.STOP)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The text as it is streamed."""
        return self.chunks or tuple(word for word in _words(self.text) if word)

    @property
    def whole_text(self) -> str:
        return "".join(self.chunks) or self.text


def failure(status: int, error: str = "", *, retry_after: str | float | None = None) -> Reply:
    """A reply that is an error.

    Args:
        status: The HTTP status: 400, 401, 429, 500, 529 …
        error: The message.
        retry_after: What the header ``Retry-After`` says: seconds, or an HTTP date.
    """
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Reply(
        status=status, error=error or f"The wire server was told to answer {status}.", headers=headers
    )


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]
