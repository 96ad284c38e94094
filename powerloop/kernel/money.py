"""Money: US dollars as `Decimal`, exact to the billionth.

A billionth, because a token of the cheapest models costs five of them. Databases keep whole billionths of a
dollar, so that sums stay exact there too. What has no known price has no amount: `None`, never zero.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from typing import Final

FREE: Final = Decimal(0)

_NANO: Final = 9
#: Of our own: what a caller does to the thread's decimal context does not reach our sums.
_EXACT: Final = Context(prec=40, rounding=ROUND_HALF_UP)


def price_of(tokens: int, per_million: Decimal) -> Decimal:
    """What the tokens cost, exactly, in dollars."""
    return _EXACT.multiply(Decimal(tokens), per_million).scaleb(-6, _EXACT)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, in whole billionths of a dollar."""
    return dollars(nanodollars(reduce(_EXACT.add, amounts, FREE)))


def nanodollars(amount: Decimal) -> int:
    """The amount in billionths of a dollar, as databases keep it; half a billionth goes up."""
    return int(amount.scaleb(_NANO, _EXACT).to_integral_value(context=_EXACT))


def dollars(nanodollars: int) -> Decimal:
    """The amount of so many billionths of a dollar, without trailing zeros."""
    amount = Decimal(nanodollars).scaleb(-_NANO, _EXACT).normalize(_EXACT)
    # Normalizing writes 100 as 1E+2.
    return amount.quantize(Decimal(1), context=_EXACT) if amount == amount.to_integral_value() else amount
