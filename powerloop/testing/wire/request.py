"""What was asked of the wire server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Api = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """One request, as it came over the wire."""

    api: Api
    #: The decoded JSON body.
    body: Mapping[str, Any]
    #: Names in lower case.
    headers: Mapping[str, str]
    #: When its client went away before the end of the answer; `None`: it did not.
    cut_at: datetime | None = None

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages", ())
        return messages

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def last_input(self) -> str:
        """The text of the last message that a person wrote."""
        return next((_text(message) for message in reversed(self.messages) if _is_input(message)), "")

    @property
    def answered(self) -> int:
        """How many model messages came after that message."""
        count = 0
        for message in reversed(self.messages):
            if _is_input(message):
                break
            count += message.get("role") == "assistant"
        return count


def _is_input(message: Mapping[str, Any]) -> bool:
    """Whether a person wrote it: in Anthropic's format tool results are user messages too."""
    return message.get("role") == "user" and bool(_text(message))


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or () if part.get("type") == "text")
