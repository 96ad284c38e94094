"""Budgets as they are kept: what was used of each, what is reserved, and what is granted of the rest.

The sends of a tree share the budgets of those above them. Before each model call what it may use is reserved
in all of them, and after it what it did use is written down: together they exceed a budget by no more than
one call that was reserved. Functions without I/O.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from powerloop.kernel.ids import SendId
from powerloop.kernel.limits import Budget
from powerloop.kernel.money import FREE, dollars, nanodollars
from powerloop.kernel.usage import ModelCallEntry


class Limit(StrEnum):
    """What a budget limits."""

    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOTAL_TOKENS = "total_tokens"
    COST = "cost"
    WALL_CLOCK = "wall_clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What model calls use, or may."""

    input_tokens: int = 0
    output_tokens: int = 0
    #: In US dollars; a call whose price is not known counts as nothing.
    cost: Decimal = FREE

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The budget of one send, as it stands."""

    send_id: SendId
    #: Without its wall clock, which is `deadline_at`.
    budget: Budget
    used: Spending
    #: By model calls that go on, of any send of the tree.
    reserved: Spending
    #: When its time is over; never later than that of a budget above it.
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """That a model may be called."""

    #: What was asked for, its output cut to what is left.
    spending: Spending
    #: How long the call may take; `None`: as long as it likes.
    time_left: timedelta | None
    #: Whether the answer must not be longer than that.
    limits_output: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """That a model may not be called: a budget is used up."""

    limit: Limit
    #: Whose.
    send_id: SendId


Reservation: TypeAlias = Reserved | Refused


def granted(accounts: Sequence[Account], wanted: Spending, now: datetime) -> Reservation:
    """What a model call may use.

    A limit that is reached by what was used and what is reserved refuses the call. So does a limit of all
    tokens that the input of the call would reach: nothing could be answered. Otherwise the call may go beyond
    a limit; then there is no other.

    Args:
        accounts: All that it is charged to, without what its own send has reserved.
        wanted: What it may use at most.
        now: The time.
    """
    for account in accounts:
        if limit := _reached(account, wanted, now):
            return Refused(limit=limit, send_id=account.send_id)
    left = (tokens for account in accounts for tokens in _output_left(account, wanted))
    spending = replace(wanted, output_tokens=min((wanted.output_tokens, *left)))
    deadlines = [account.deadline_at for account in accounts if account.deadline_at is not None]
    return Reserved(
        spending=spending,
        time_left=min(deadlines) - now if deadlines else None,
        limits_output=any(account.budget.limits_output for account in accounts),
    )


def spending_of(entries: Iterable[ModelCallEntry]) -> Spending:
    """What the attempts used, the failed ones included: in whole billionths of a dollar, as in the ledger."""
    entries = tuple(entries)
    return Spending(
        input_tokens=sum(entry.usage.input_tokens for entry in entries),
        output_tokens=sum(entry.usage.output_tokens for entry in entries),
        cost=dollars(sum(nanodollars(entry.cost) for entry in entries if entry.cost is not None)),
    )


def _reached(account: Account, wanted: Spending, now: datetime) -> Limit | None:
    """The first limit that keeps the call from being made."""
    budget, gone = account.budget, account.used + account.reserved
    found = {
        Limit.INPUT_TOKENS: budget.input_tokens is not None and gone.input_tokens >= budget.input_tokens,
        Limit.OUTPUT_TOKENS: budget.output_tokens is not None and gone.output_tokens >= budget.output_tokens,
        Limit.TOTAL_TOKENS: budget.total_tokens is not None
        and gone.total_tokens + wanted.input_tokens >= budget.total_tokens,
        Limit.COST: budget.cost is not None and gone.cost >= budget.cost,
        Limit.WALL_CLOCK: account.deadline_at is not None and account.deadline_at <= now,
    }
    return next((limit for limit, reached in found.items() if reached), None)


def _output_left(account: Account, wanted: Spending) -> Iterable[int]:
    budget, gone = account.budget, account.used + account.reserved
    if budget.output_tokens is not None:
        yield budget.output_tokens - gone.output_tokens
    if budget.total_tokens is not None:
        yield budget.total_tokens - gone.total_tokens - wanted.input_tokens
