"""Sends whose model calls are charged to budgets."""

from dataclasses import replace
from decimal import Decimal

from powerloop.kernel.budgets import Limit, Refused, Reservation, Reserved, Spending
from powerloop.kernel.limits import Budget
from powerloop.kernel.sends import Claim
from powerloop.kernel.usage import ModelCallEntry, Usage
from tests.conformance.store.conftest import Desk

CALL = Spending(input_tokens=10, output_tokens=20, cost=Decimal("0.5"))
ROOMY = Budget(total_tokens=1_000)
NARROW = Budget(output_tokens=50)


async def charged(desk: Desk, *above: Claim, alone: bool = True) -> Claim:
    """A running send whose model calls are charged to others, and to itself unless it has no budget."""
    claim = await desk.running()
    budgets = (*(other.send.id for other in above), *([claim.send.id] if alone else ()))
    return replace(claim, fence=replace(claim.fence, budgets=budgets))


async def succeeded(desk: Desk, claim: Claim) -> Claim:
    """The claim of another worker, after the first has died."""
    heir = await desk.taken_over(claim)
    return replace(heir, fence=replace(heir.fence, budgets=claim.fence.budgets))


async def reserve(desk: Desk, claim: Claim, budget: Budget = ROOMY, wanted: Spending = CALL) -> Reservation:
    return await desk.store.journal.reserve(claim.fence, budget, wanted)


async def spend(desk: Desk, claim: Claim, *spendings: Spending, failed: str | None = None) -> None:
    """Commit a round that cost so much, in one ledger entry for each spending."""
    number = next(desk.numbers)
    commit = desk.asks(f"call-{number}", number=number, entries=entries_of(desk, spendings, failed))
    await desk.store.journal.commit_model(claim.fence, commit)


def entries_of(
    desk: Desk, spendings: tuple[Spending, ...], failed: str | None = None
) -> tuple[ModelCallEntry, ...]:
    return tuple(
        replace(
            desk.entry(failed=failed),
            usage=Usage(input_tokens=spending.input_tokens, output_tokens=spending.output_tokens),
            cost=spending.cost,
        )
        for spending in spendings
    )


def refused(limit: Limit, claim: Claim) -> Refused:
    return Refused(limit=limit, send_id=claim.send.id)


def granted(output: int, *, limited: bool = True) -> Reserved:
    spending = replace(CALL, output_tokens=output)
    return Reserved(spending=spending, time_left=None, limits_output=limited)
