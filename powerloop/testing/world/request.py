"""What a tool did to the world, as the world knows it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import TypeAdapter


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRequest:
    """One request: one effect, unless its key was known."""

    tool: str
    #: The idempotency key; empty: none.
    key: str = ""
    #: The id of the send; empty: not told.
    send: str = ""
    #: When it came in.
    at: datetime = field(default_factory=_now)

    def is_same_effect(self, other: "WorldRequest") -> bool:
        """Whether the other one bears the same key, so that both are one effect."""
        return bool(self.key) and (self.tool, self.key) == (other.tool, other.key)


REQUEST = TypeAdapter(WorldRequest)
REQUESTS = TypeAdapter(list[WorldRequest])
