"""Limits: how far a send may go, and the tree of sub-agents below it."""

from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from powerloop.kernel.errors import InvalidInput

#: More than any model has ever written; databases can count it.
MAX_TOKENS: Final = 10**15
#: In dollars.
MAX_COST: Final = Decimal(10**9)
MAX_SPAN: Final = timedelta(days=36_500)

AmountT = TypeVar("AmountT", int, Decimal, timedelta)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLimits:
    """How large the tree below one send may grow. A sub-agent inherits them, and may narrow them only.

    Raises:
        InvalidInput: a limit is negative.
    """

    #: How many sub-agents deep: 0 allows none.
    depth: int = 4
    #: The most sub-agents that one round may start.
    breadth: int = 10
    #: The most sub-agents in all below one send that a producer made, those that have ended included.
    total: int = 100

    def __post_init__(self) -> None:
        for name in ("depth", "breadth", "total"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"a limit is not negative: {name}={getattr(self, name)}.")

    def narrowed(self, other: "TreeLimits | None") -> "TreeLimits":
        """The smaller one of each."""
        if other is None:
            return self
        return TreeLimits(
            depth=min(self.depth, other.depth),
            breadth=min(self.breadth, other.breadth),
            total=min(self.total, other.total),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a send may use, with all the sub-agents below it. What is `None` is not limited.

    Raises:
        InvalidInput: a limit is not positive, is larger than anything that can be counted, or is no amount.
    """

    #: Everything that is sent to models, in all rounds, failed attempts included.
    input_tokens: int | None = None
    #: Everything that models write, reasoning included.
    output_tokens: int | None = None
    #: Both together.
    total_tokens: int | None = None
    #: In US dollars, of the calls whose price is known (`powerloop.kernel.money`).
    cost: Decimal | None = None
    #: From the start of the send, the time that it waits included.
    wall_clock: timedelta | None = None

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            _check_tokens(name, getattr(self, name))
        if self.cost is not None:
            object.__setattr__(self, "cost", _checked_cost(self.cost))
        if self.wall_clock is not None:
            _check_span(self.wall_clock)

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything."""
        return any(getattr(self, limit.name) is not None for limit in fields(self))

    @property
    def limits_output(self) -> bool:
        """Whether what models write counts against it."""
        return (self.output_tokens, self.total_tokens, self.cost) != (None, None, None)

    def narrowed(self, other: "Budget | None") -> "Budget":
        """The smaller one of each."""
        if other is None:
            return self
        return Budget(
            input_tokens=_smaller(self.input_tokens, other.input_tokens),
            output_tokens=_smaller(self.output_tokens, other.output_tokens),
            total_tokens=_smaller(self.total_tokens, other.total_tokens),
            cost=_smaller(self.cost, other.cost),
            wall_clock=_smaller(self.wall_clock, other.wall_clock),
        )


def _smaller(one: AmountT | None, other: AmountT | None) -> AmountT | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _check_tokens(name: str, value: Any) -> None:  # noqa: ANN401 - whatever was given
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 1 <= value <= MAX_TOKENS):
        raise InvalidInput(f"a budget's {name} is a number from 1 to {MAX_TOKENS}, not {value!r}.")


def _check_span(value: Any) -> None:  # noqa: ANN401 - whatever was given
    if not isinstance(value, timedelta) or not timedelta(0) < value <= MAX_SPAN:
        raise InvalidInput(f"a budget's wall_clock is a timedelta of up to a century, not {value!r}.")


def _checked_cost(value: Any) -> Decimal:  # noqa: ANN401 - whatever was given
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        cost = Decimal(value)
        if cost.is_finite() and 0 < cost <= MAX_COST:
            return cost
    raise InvalidInput(
        f"a budget's cost is an amount of dollars from 0 to {MAX_COST}, not {value!r}.",
        hint='Write Decimal("1.25").',
    )
