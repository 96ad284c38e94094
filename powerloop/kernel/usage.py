"""What model calls used: tokens and money, one ledger entry per attempt, and their sums."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from powerloop.kernel.money import FREE


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


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotal:
    """What many attempts at model calls used, failed ones included: the provider bills them too."""

    calls: int = 0
    #: Those that failed. The ones that were cut off by a cancel are not among them.
    failed_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    #: In US dollars, of the calls whose price is known.
    cost: Decimal = FREE
    #: Calls whose price is not known: what they cost is not in `cost`.
    unpriced_calls: int = 0
    #: Of all calls, one after the other.
    latency: timedelta = timedelta(0)


class UsageGroup(StrEnum):
    """What a report of usage has a row for."""

    SESSION = "session"
    SEND = "send"
    AGENT = "agent"
    MODEL = "model"
    #: A day in UTC, ``2026-01-31``.
    DAY = "day"
    PURPOSE = "purpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one group used."""

    #: The id, the name or the day.
    key: str
    total: UsageTotal


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What the ledger holds of the calls that were asked for."""

    total: UsageTotal
    #: Latest day first; of other groups the dearest first (ties: most tokens, then by key).
    rows: tuple[UsageRow, ...] = ()
