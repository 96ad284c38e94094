"""Budgets: what is reserved before a model call, what is settled after it, and what is refused."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from powerloop.kernel.budgets import Limit, Refused, Reserved, Spending
from powerloop.kernel.endings import CutOff, cancelled
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import SendId
from powerloop.kernel.limits import Budget
from tests.conformance.store import charging
from tests.conformance.store.charging import CALL, NARROW, entries_of, granted, refused, succeeded


@pytest.fixture
def charged(desk):
    return partial(charging.charged, desk)


@pytest.fixture
def reserve(desk):
    return partial(charging.reserve, desk)


@pytest.fixture
def spend(desk):
    return partial(charging.spend, desk)


async def test_a_budget_comes_back_as_it_was_sent(desk):
    budget = Budget(
        input_tokens=1,
        output_tokens=2,
        total_tokens=3,
        cost=Decimal("0.10"),
        wall_clock=timedelta(seconds=1.5),
    )
    session = await desk.session()
    accepted = await desk.accept(session, budget=budget)
    assert accepted.send.budget == budget
    claim = await desk.claimed(accepted.send)
    assert (claim.send.budget, (await desk.send_of(claim)).budget) == (budget, budget)
    assert (await desk.store.journal.hand_over(claim.fence)).budget == budget
    (listed,) = await desk.store.sends.list(session_id=session.id)
    assert listed.budget == budget


async def test_the_next_head_of_a_session_has_its_budget(desk):
    claim = await desk.running()
    await desk.accept(await desk.session_of(claim), budget=NARROW)
    finished = await desk.store.journal.finish(claim.fence, desk.completed())
    assert finished.next_head.budget == NARROW


async def test_the_first_reservation_fixes_the_limits_of_the_send(desk, charged, reserve):
    claim = await charged()
    assert await reserve(claim, NARROW) == granted(20)
    assert (await desk.send_of(claim)).budget == NARROW
    assert await reserve(claim, Budget(output_tokens=5)) == granted(20)


async def test_what_is_reserved_is_cut_to_what_is_left(charged, reserve, spend):
    claim = await charged()
    await reserve(claim, NARROW)
    await spend(claim, Spending(output_tokens=41))
    assert await reserve(claim, NARROW) == granted(9)
    other = await charged()
    await reserve(other, Budget(total_tokens=40))
    await spend(other, Spending(input_tokens=10, output_tokens=5))
    assert await reserve(other, NARROW) == granted(15)


@pytest.mark.parametrize(
    ("limit", "budget", "used"),
    [
        (Limit.INPUT_TOKENS, Budget(input_tokens=100), Spending(input_tokens=100)),
        (Limit.OUTPUT_TOKENS, Budget(output_tokens=100), Spending(output_tokens=100)),
        (Limit.TOTAL_TOKENS, Budget(total_tokens=100), Spending(input_tokens=60, output_tokens=40)),
        (Limit.COST, Budget(cost=Decimal("0.000000003")), Spending(cost=Decimal("0.000000003"))),
    ],
)
async def test_a_limit_that_is_reached_refuses_and_is_named(charged, reserve, spend, limit, budget, used):
    claim = await charged()
    assert isinstance(await reserve(claim, budget), Reserved)
    await spend(claim, used)
    assert await reserve(claim, budget) == refused(limit, claim)


async def test_a_call_whose_input_leaves_nothing_for_the_answer_is_refused(charged, reserve):
    claim = await charged()
    assert await reserve(claim, Budget(total_tokens=10)) == refused(Limit.TOTAL_TOKENS, claim)
    assert await reserve(claim, Budget(total_tokens=10), Spending(output_tokens=5)) == Reserved(
        spending=Spending(output_tokens=5), time_left=None, limits_output=True
    )


async def test_failed_attempts_are_charged_too(charged, reserve, spend):
    claim = await charged()
    await reserve(claim, NARROW)
    await spend(claim, Spending(output_tokens=30), Spending(output_tokens=20), failed="model.unavailable")
    assert await reserve(claim, NARROW) == refused(Limit.OUTPUT_TOKENS, claim)


async def test_what_is_settled_is_what_was_used_and_not_what_was_reserved(charged, reserve, spend):
    claim = await charged()
    for _ in range(5):
        assert isinstance(await reserve(claim, NARROW), Reserved)
        await spend(claim, Spending(output_tokens=1))
    assert await reserve(claim, NARROW, replace(CALL, output_tokens=99)) == granted(45)


async def test_the_end_of_a_send_settles(desk, charged, reserve):
    root = await charged()
    await reserve(root, NARROW)
    child = await charged(root, alone=False)
    assert await reserve(child, Budget(), replace(CALL, output_tokens=7)) == granted(7)
    ending = replace(desk.completed(), entries=entries_of(desk, [Spending(output_tokens=3)]))
    await desk.store.journal.finish(child.fence, ending)
    sibling = await charged(root, alone=False)
    # 20 are reserved by the root, and 3 are used.
    assert await reserve(sibling, Budget(), replace(CALL, output_tokens=99)) == granted(27)


async def test_a_cancelled_send_settles(desk, charged, reserve):
    root = await charged()
    await reserve(root, NARROW, Spending())
    child = await charged(root)
    await reserve(child)
    await desk.store.sends.cancel(child.send.id)
    cut = CutOff(entries=entries_of(desk, [Spending(output_tokens=2)]))
    await desk.store.journal.finish(child.fence, cancelled((), rounds=0, cut=cut))
    assert await reserve(root, NARROW, replace(CALL, output_tokens=99)) == granted(48)


async def test_the_reservation_of_a_claim_that_died_is_given_up_by_the_next(desk, charged, reserve):
    claim = await charged()
    await reserve(claim, NARROW, replace(CALL, output_tokens=40))
    heir = await succeeded(desk, claim)
    assert await reserve(heir, NARROW, replace(CALL, output_tokens=40)) == granted(40)
    with pytest.raises(Fenced):
        await reserve(claim, NARROW)


async def test_a_refusal_gives_up_what_the_dead_claim_had_reserved(desk, charged, reserve):
    root = await charged()
    await reserve(root, Budget(input_tokens=25), Spending())
    child = await charged(root)
    await reserve(child, Budget(output_tokens=20))
    await desk.store.journal.commit_model(
        child.fence, desk.asks("a", entries=entries_of(desk, [Spending(output_tokens=20)]))
    )
    assert isinstance(await reserve(root, wanted=Spending(input_tokens=25)), Reserved)
    assert await reserve(child) == refused(Limit.INPUT_TOKENS, root)
    assert await reserve(root, wanted=Spending(input_tokens=25)) == Reserved(
        spending=Spending(input_tokens=25), time_left=None
    )


async def test_a_child_is_refused_for_the_budget_above_it_and_told_whose_it_is(charged, reserve, spend):
    root = await charged()
    await reserve(root, NARROW, Spending())
    middle = await charged(root)
    leaf = await charged(root, middle, alone=False)
    await reserve(middle, Budget(output_tokens=30), Spending())
    assert await reserve(leaf, wanted=replace(CALL, output_tokens=99)) == granted(30)
    await spend(leaf, Spending(output_tokens=30))
    assert await reserve(leaf) == refused(Limit.OUTPUT_TOKENS, middle)
    assert await reserve(root, NARROW) == granted(20)
    await spend(root, Spending(output_tokens=20))
    assert await reserve(leaf) == refused(Limit.OUTPUT_TOKENS, root)


async def test_the_budget_of_a_send_that_was_deleted_limits_nothing(desk, charged, reserve):
    root = await charged()
    await reserve(root, NARROW, Spending())
    orphan = await charged(root, alone=False)
    await desk.store.journal.finish(root.fence, desk.completed())
    await desk.store.sessions.delete(root.send.session_id)
    assert await reserve(orphan, wanted=replace(CALL, output_tokens=99)) == granted(99, limited=False)
    await desk.store.journal.finish(orphan.fence, desk.completed())


async def test_a_session_with_budgets_can_be_deleted(desk, charged, reserve):
    claim = await charged()
    await reserve(claim)
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.delete(claim.send.session_id)
    assert await desk.store.sessions.find(claim.send.session_id) is None


async def test_the_fence_of_a_reservation_is_checked(desk, charged, reserve):
    claim = await charged()
    await desk.store.journal.finish(claim.fence, desk.completed())
    with pytest.raises(Fenced):
        await reserve(claim)
    stranger = replace(claim, fence=replace(claim.fence, send_id=SendId("unknown")))
    with pytest.raises(Fenced):
        await reserve(stranger)


async def test_racing_children_exceed_the_budget_by_no_more_than_one_reservation(
    desk, charged, reserve, spend
):
    limit = 600
    root = await charged()
    await reserve(root, Budget(total_tokens=limit), Spending())
    await spend(root, Spending())
    children = [await charged(root, alone=number % 2 == 0) for number in range(8)]
    answers = []

    async def work(child):
        while True:
            answer = await reserve(
                child, Budget(output_tokens=10_000) if len(child.fence.budgets) == 2 else Budget()
            )
            answers.append(answer)
            if isinstance(answer, Refused):
                return
            await spend(child, answer.spending)

    await asyncio.gather(*map(work, children))
    used = sum(row[7] + row[8] for row in desk.ledger())
    assert used <= limit + CALL.total_tokens
    assert used >= limit - CALL.total_tokens
    assert {answer.send_id for answer in answers if isinstance(answer, Refused)} == {root.send.id}


async def test_racing_ends_of_a_tree_leave_nothing_reserved(desk, charged, reserve):
    root = await charged()
    await reserve(root, NARROW, Spending())
    children = [await charged(root) for _ in range(6)]
    await asyncio.gather(*(reserve(child, wanted=Spending(output_tokens=5)) for child in children))
    ending = replace(desk.completed(), entries=entries_of(desk, [Spending(output_tokens=1)]))
    await asyncio.gather(*(desk.store.journal.finish(child.fence, ending) for child in children))
    assert await reserve(root, NARROW, replace(CALL, output_tokens=99)) == granted(44)
