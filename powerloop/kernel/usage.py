"""What a model call used: tokens, and one ledger entry per attempt."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the provider counted them."""

    #: Everything that was sent to the model, cached tokens included.
    input_tokens: int = 0
    #: Everything that the model wrote, reasoning included.
    output_tokens: int = 0
    #: Included in `input_tokens`: read from the provider's prompt cache.
    cached_tokens: int = 0
    #: Included in `input_tokens`: written to the provider's prompt cache (Anthropic bills these apart).
    cache_write_tokens: int = 0
    #: Included in `output_tokens`: spent on reasoning.
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class CallOutcome(StrEnum):
    """How one attempt at a model call ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallEntry:
    """One attempt at a model call, for the ledger."""

    #: ``provider:model``, as asked for.
    model: str
    usage: Usage
    outcome: CallOutcome
    #: From the request to the last byte.
    latency: timedelta
    #: What it was for; ``round`` is the agent's own turn.
    purpose: str = "round"
    #: The code of the error, where `outcome` is `FAILED`.
    error_code: str | None = None
    #: Whether `usage` is our estimate: the provider never told.
    estimated: bool = False
    #: In US dollars (see `powerloop.kernel.money`), of what `usage` says; `None`: the price is not known.
    cost: Decimal | None = None
