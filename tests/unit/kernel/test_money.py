"""Money: exact to the billionth of a dollar."""

from decimal import Decimal, localcontext

import pytest

from powerloop.kernel.money import FREE, dollars, nanodollars, price_of, total


@pytest.mark.parametrize(
    ("amount", "billionths"),
    [("0", 0), ("0.000000001", 1), ("2.5", 2_500_000_000), ("100", 100_000_000_000), ("-1", -1_000_000_000)],
)
def test_an_amount_survives_as_billionths(amount, billionths):
    assert nanodollars(Decimal(amount)) == billionths
    assert dollars(billionths) == Decimal(amount)


def test_one_token_of_the_cheapest_price_is_not_lost():
    assert price_of(1, Decimal("0.005")) == Decimal("0.000000005")


@pytest.mark.parametrize(
    ("amount", "kept"), [("0.0000000004", "0"), ("0.0000000005", "1E-9"), ("0.0000000375", "3.8E-8")]
)
def test_halves_of_a_billionth_go_up(amount, kept):
    assert total([Decimal(amount)]) == Decimal(kept)


def test_a_sum_is_rounded_once():
    assert total([Decimal("0.0000000004")] * 3) == Decimal("0.000000001")


def test_the_sum_of_nothing_is_nothing():
    assert total([]) == FREE


def test_sums_are_exact_whatever_the_context_of_the_thread():
    many = [Decimal("0.000000001")] * 1000 + [Decimal(123_456_789)]
    with localcontext() as context:
        context.prec = 3
        assert total(many) == Decimal("123456789.000001")
        assert price_of(123_457, Decimal("1.25")) == Decimal("0.15432125")


def test_a_whole_amount_reads_as_people_write_it():
    assert str(dollars(100_000_000_000)) == "100"
