"""The wall clock of a budget: whose it is, when it is over, and what becomes of sends that wait then."""

from datetime import timedelta
from functools import partial

import pytest

from powerloop.kernel.budgets import Limit, Spending
from powerloop.kernel.limits import Budget
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.suspension import Suspension
from tests.conformance.store import charging
from tests.conformance.store.charging import refused, succeeded

INSTANT = Budget(wall_clock=timedelta(microseconds=1))


@pytest.fixture
def charged(desk):
    return partial(charging.charged, desk)


@pytest.fixture
def reserve(desk):
    return partial(charging.reserve, desk)


async def test_the_wall_clock_runs_from_the_first_claim(desk, charged, reserve):
    claim = await charged()
    slow = Budget(wall_clock=timedelta(hours=1))
    reserved = await reserve(claim, slow)
    assert timedelta(minutes=59) < reserved.time_left <= timedelta(hours=1)
    heir = await succeeded(desk, claim)
    assert (await reserve(heir, slow)).time_left < reserved.time_left


async def test_a_send_whose_time_is_over_is_refused(charged, reserve, eventually):
    claim = await charged()

    async def over():
        return await reserve(claim, INSTANT) == refused(Limit.WALL_CLOCK, claim)

    await eventually(over, "its time is over")


async def test_the_time_of_a_child_is_over_no_later_than_that_of_its_parent(charged, reserve):
    root = await charged()
    await reserve(root, Budget(wall_clock=timedelta(minutes=1)), Spending())
    child = await charged(root)
    reserved = await reserve(child, Budget(wall_clock=timedelta(hours=1)))
    assert reserved.time_left <= timedelta(minutes=1)
    grandchild = await charged(root, child, alone=False)
    assert (await reserve(grandchild)).time_left <= timedelta(minutes=1)


@pytest.mark.parametrize("whose", ["own", "parent's"])
async def test_a_send_whose_time_is_over_does_not_wait(desk, charged, reserve, eventually, whose):
    root = await charged()
    claim = root if whose == "own" else await charged(root, alone=False)
    await reserve(root, INSTANT)
    await reserve(claim, INSTANT if whose == "own" else Budget())
    await desk.asked(claim, "a")
    before = await desk.everything(claim)

    async def over():
        return (await desk.store.journal.suspend(claim.fence, Suspension())).out_of_time

    await eventually(over, "its time is over")
    assert await desk.everything(claim) == before


async def test_a_send_that_waits_is_woken_when_its_time_is_over(desk, charged, reserve, eventually):
    claim = await charged()
    await reserve(claim, Budget(wall_clock=timedelta(seconds=0.5)))
    await desk.asked(claim, "a")
    asked = Suspension(interactions=(desk.question("a"),))
    assert (await desk.store.journal.suspend(claim.fence, asked)).waiting

    async def woken():
        return [send.id for send in await desk.store.recovery.resume(10)]

    assert await eventually(woken, "it is woken") == [claim.send.id]
    assert (await desk.send_of(claim)).status is SendStatus.QUEUED
    assert not await desk.store.recovery.resume(10)
