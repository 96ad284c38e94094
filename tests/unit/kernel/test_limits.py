"""Budgets: what is none, which of two is narrower, and their form on the wire."""

from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.budgets import spending_of
from powerloop.kernel.codec import budget_from_json, budget_to_json
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.limits import Budget
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage

FULL = Budget(
    input_tokens=1,
    output_tokens=2,
    total_tokens=3,
    cost=Decimal("0.50"),
    wall_clock=timedelta(minutes=1.5),
)


@pytest.mark.parametrize(
    "limits",
    [
        {"input_tokens": 0},
        {"output_tokens": -1},
        {"total_tokens": True},
        {"total_tokens": 1.5},
        {"input_tokens": 10**30},
        {"cost": Decimal(0)},
        {"cost": Decimal("NaN")},
        {"cost": 0.5},
        {"cost": True},
        {"cost": Decimal(10**20)},
        {"wall_clock": timedelta(0)},
        {"wall_clock": 30},
        {"wall_clock": timedelta.max},
    ],
    ids=str,
)
def test_what_is_no_limit_is_refused_by_its_name(limits):
    (name,) = limits
    with pytest.raises(InvalidInput, match=name):
        Budget(**limits)


def test_a_budget_of_nothing_limits_nothing():
    assert not Budget().is_limited
    assert not Budget().limits_output
    assert FULL.is_limited
    assert [Budget(wall_clock=timedelta(1)).limits_output, Budget(cost=1).limits_output] == [False, True]


def test_of_two_budgets_the_narrower_limit_of_each_kind_holds():
    other = Budget(input_tokens=5, output_tokens=1, wall_clock=timedelta(hours=1))
    expected = Budget(
        input_tokens=1,
        output_tokens=1,
        total_tokens=3,
        cost=Decimal("0.5"),
        wall_clock=timedelta(minutes=1.5),
    )
    assert FULL.narrowed(other) == other.narrowed(FULL) == expected
    assert FULL.narrowed(None) == FULL.narrowed(Budget()) == FULL


@pytest.mark.parametrize("budget", [FULL, Budget(), Budget(cost=Decimal("0.000000001"))], ids=str)
def test_a_budget_is_the_same_after_the_wire(budget):
    assert budget_from_json(budget_to_json(budget)) == budget


def test_the_wire_form_names_its_units():
    assert budget_to_json(FULL) == {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
        "cost": "0.50",
        "wall_clock_s": 90.0,
    }


def test_a_cost_on_the_wire_may_be_a_number():
    assert budget_from_json({"cost": 0.1}) == Budget(cost=Decimal("0.1"))


@pytest.mark.parametrize(
    "data",
    [{"tokens": 1}, {"cost": "a lot"}, {"cost": []}, {"wall_clock_s": "1"}, {"wall_clock_s": 1e300}],
    ids=str,
)
def test_what_is_no_budget_on_the_wire_is_refused_in_words(data):
    with pytest.raises(InvalidInput, match="wall_clock"):
        budget_from_json(data)


def test_the_cost_of_attempts_is_summed_as_the_ledger_keeps_it():
    entry = ModelCallEntry(
        model="m",
        usage=Usage(input_tokens=1, output_tokens=2),
        outcome=CallOutcome.OK,
        latency=timedelta(0),
        cost=Decimal("0.0000000004"),
    )
    spending = spending_of([entry, entry, entry])
    assert (spending.total_tokens, spending.cost) == (9, 0)
