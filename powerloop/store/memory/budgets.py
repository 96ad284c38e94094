"""Budgets, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from powerloop.kernel.budgets import (
    Account,
    Reservation,
    Reserved,
    Spending,
    granted,
    spending_of,
)
from powerloop.kernel.ids import SendId
from powerloop.kernel.limits import Budget
from powerloop.kernel.sends import Fence, Send
from powerloop.kernel.usage import ModelCallEntry
from powerloop.store.memory.state import State


def reserve(state: State, send: Send, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
    """As `Accounts.reserve`."""
    _give_up(state, send.id)
    deadline = _deadline(state, send, fence, budget)
    if deadline is not None:
        state.deadlines[send.id] = deadline
    if send.id in fence.budgets and send.id not in state.accounts:
        state.sends[send.id] = replace(send, budget=budget)
        state.accounts[send.id] = Account(
            send_id=send.id, budget=budget, used=Spending(), reserved=Spending(), deadline_at=deadline
        )
    accounts = _charged(state, fence)
    reservation = granted(accounts, wanted, state.clock.now())
    if isinstance(reservation, Reserved):
        for account in accounts:
            state.reservations.setdefault(account.send_id, {})[send.id] = reservation.spending
    return reservation


def settle(state: State, fence: Fence, entries: Sequence[ModelCallEntry]) -> None:
    """Write down what model calls of the send used, and give up what it had reserved for them."""
    _give_up(state, fence.send_id)
    used = spending_of(entries)
    for account in _charged(state, fence):
        state.accounts[account.send_id] = replace(state.accounts[account.send_id], used=account.used + used)


def is_out_of_time(state: State, send: Send) -> bool:
    """Whether the time of the send's budget is over."""
    deadline = state.deadlines.get(send.id)
    return deadline is not None and deadline <= state.clock.now()


def _charged(state: State, fence: Fence) -> list[Account]:
    """The accounts that there are, with what is reserved of them."""
    return [
        replace(state.accounts[name], reserved=sum(state.reservations.get(name, {}).values(), Spending()))
        for name in fence.budgets
        if name in state.accounts
    ]


def _deadline(state: State, send: Send, fence: Fence, budget: Budget) -> datetime | None:
    """When the time of the send is over: that of its own budget, or one above it, whichever is first."""
    known = [
        state.deadlines[name] for name in fence.budgets if name in state.accounts and name in state.deadlines
    ]
    if budget.wall_clock is not None and send.id not in state.accounts:
        assert send.started_at is not None
        known.append(send.started_at + budget.wall_clock)
    return min(known, default=None)


def _give_up(state: State, send_id: SendId) -> None:
    for reserved in state.reservations.values():
        reserved.pop(send_id, None)
