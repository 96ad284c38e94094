"""Budgets on any database: what a model call may use is reserved before it, and settled after it.

A transaction locks its session first, then accounts in the order of their ids, and no session after that: a
tree's sends never wait for each other in a ring. Each of them reads what the others have reserved under the
lock of the account. In SQLite the transaction itself is the lock.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from powerloop.kernel.budgets import (
    Account,
    Reservation,
    Reserved,
    Spending,
    granted,
    spending_of,
)
from powerloop.kernel.codec import budget_to_json
from powerloop.kernel.ids import SendId
from powerloop.kernel.limits import Budget
from powerloop.kernel.sends import Fence, Send
from powerloop.kernel.usage import ModelCallEntry
from powerloop.store.account_rows import account_of, account_row, spending_of_row, spending_row
from powerloop.store.columns import now
from powerloop.store.database import Row, Run
from powerloop.store.portable.writing import change_send
from powerloop.store.schema import budgets, reservations, sends


async def reserve(run: Run, send: Send, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
    """As `Accounts.reserve`, in a transaction that has locked the session of the send."""
    rows = await _locked(run, fence)
    await run(delete(reservations).where(reservations.c.send_id == send.id))
    reserved = await _reserved(run, fence)
    accounts = [account_of(row, reserved.get(row["send_id"], Spending())) for row in rows]
    clock: datetime = (await run(select(now().label("now"))))[0]["now"]
    deadline = _deadline(send, budget, accounts)
    if send.id in fence.budgets and all(account.send_id != send.id for account in accounts):
        accounts.append(await _opened(run, send, budget, deadline))
    if deadline is not None:
        await change_send(run, send.id, deadline_at=deadline)
    reservation = granted(accounts, wanted, clock)
    if isinstance(reservation, Reserved) and accounts:
        await run(insert(reservations).values(_rows(send, fence, accounts, reservation.spending)))
    return reservation


async def settle(run: Run, fence: Fence, entries: Sequence[ModelCallEntry]) -> None:
    """Write down what model calls of the send used, and give up what it had reserved for them."""
    if not await _locked(run, fence):
        return
    await run(delete(reservations).where(reservations.c.send_id == fence.send_id))
    used = spending_row(spending_of(entries))
    charged = update(budgets).where(budgets.c.send_id.in_(fence.budgets))
    await run(charged.values({name: budgets.c[name] + amount for name, amount in used.items()}))


async def is_out_of_time(run: Run, fence: Fence) -> bool:
    """Whether the time of the send's budget is over."""
    over = select(sends.c.id).where(sends.c.id == fence.send_id, sends.c.deadline_at <= now())
    return bool(fence.budgets) and bool(await run(over))


async def _locked(run: Run, fence: Fence) -> Sequence[Row]:
    """The accounts that there are, their rows locked, with the deadlines of their sends; the root's first."""
    if not fence.budgets:
        return ()
    its = select(budgets, sends.c.deadline_at).join(sends).where(budgets.c.send_id.in_(fence.budgets))
    rows = await run(its.order_by(budgets.c.send_id).with_for_update(of=budgets, key_share=True))
    return sorted(rows, key=lambda row: fence.budgets.index(row["send_id"]))


async def _reserved(run: Run, fence: Fence) -> dict[SendId, Spending]:
    """What is reserved of each account."""
    sums = [func.sum(reservations.c[name]).label(name) for name in ("input_tokens", "output_tokens", "cost")]
    its = reservations.c.budget_id.in_(fence.budgets)
    rows = await run(select(reservations.c.budget_id, *sums).where(its).group_by(reservations.c.budget_id))
    return {row["budget_id"]: spending_of_row(row) for row in rows}


def _deadline(send: Send, budget: Budget, above: Sequence[Account]) -> datetime | None:
    """When the time of the send is over: that of its own budget, or one above it, whichever is first."""
    deadlines = [account.deadline_at for account in above if account.deadline_at is not None]
    if budget.wall_clock is not None and all(account.send_id != send.id for account in above):
        assert send.started_at is not None
        deadlines.append(send.started_at + budget.wall_clock)
    return min(deadlines, default=None)


async def _opened(run: Run, send: Send, budget: Budget, deadline: datetime | None) -> Account:
    """The account of the send itself, which nothing was used of."""
    limits, nothing = account_row(budget), spending_row(Spending())
    await run(insert(budgets).values(send_id=send.id, opened_at=now(), **limits, **nothing))
    await change_send(run, send.id, budget=budget_to_json(budget))
    return account_of({"send_id": send.id, "deadline_at": deadline, **limits, **nothing}, Spending())


def _rows(
    send: Send, fence: Fence, accounts: Sequence[Account], spending: Spending
) -> list[dict[str, object]]:
    return [
        {
            "budget_id": account.send_id,
            "send_id": send.id,
            "epoch": fence.epoch,
            "created_at": now(),
            **spending_row(spending),
        }
        for account in accounts
    ]
