"""Prices of models: the table that comes with powerloop, tables of your own, and what calls cost by them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from powerloop.kernel.errors import InvalidInput, SettingsInvalid
from powerloop.kernel.money import FREE, price_of, total
from powerloop.kernel.usage import Usage

#: What a provider puts behind a model's name to say which version of it: a date, or ``latest``.
_VERSION: Final = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{4}|latest)$")

_RATES: Final = ("input", "output", "cached", "cache_write")
_ABOUT: Final = ("source", "as_of", "models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens.

    Raises:
        InvalidInput: a rate is negative, or a `float`, which is not what was written.
    """

    #: Of input that is neither read from the prompt cache nor written to it.
    input: Decimal
    #: Of everything that the model writes, reasoning included.
    output: Decimal
    #: Of input read from the prompt cache; `None`: as other input.
    cached: Decimal | None = None
    #: Of input written to the prompt cache; `None`: as other input.
    cache_write: Decimal | None = None
    #: What a whole call costs that has more input than `long.over`.
    long: "Price | None" = None
    #: The input tokens above which this holds.
    over: int = 0

    def __post_init__(self) -> None:
        for name in _RATES:
            rate = getattr(self, name)
            if rate is None and name.startswith("cache"):
                continue
            if not isinstance(rate, Decimal | int) or not Decimal(rate).is_finite() or rate < 0:
                raise InvalidInput(
                    f"a price of {rate!r} for {name} is not an amount.", hint='Write Decimal("1.25").'
                )
            object.__setattr__(self, name, Decimal(rate))

    def cost(self, usage: Usage) -> Decimal:
        """What the usage of one call costs, in dollars, rounded to the billionth."""
        if self.long is not None and usage.input_tokens > self.long.over:
            return self.long.cost(usage)
        fresh = max(usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, 0)
        parts = (
            (fresh, self.input),
            (usage.cached_tokens, self.cached),
            (usage.cache_write_tokens, self.cache_write),
            (usage.output_tokens, self.output),
        )
        return total(price_of(tokens, self.input if rate is None else rate) for tokens, rate in parts)


class PriceTable:
    """Prices by ``provider:model``, in layers: what the first one does not know, the next is asked for.

    A layer is asked for the whole name, then for the name without its version (a date as providers write it,
    or ``-latest``), then for the longest key ending in ``*`` that the name begins with.

    Args:
        layers: The prices, the ones that win first.
    """

    def __init__(self, *layers: Mapping[str, Price]) -> None:
        self.layers = tuple(MappingProxyType(dict(layer)) for layer in layers)

    def find(self, model: str) -> Price | None:
        """The model's price, or `None`: it is not known."""
        found = (_in_layer(layer, model) for layer in self.layers)
        return next((price for price in found if price is not None), None)

    def cost_of(self, model: str, usage: Usage) -> Decimal | None:
        """What the usage of one call of ``provider:model`` costs, in dollars; `None`: its price is not known.

        No tokens cost nothing, whatever the price.
        """
        if usage == Usage():
            return FREE
        price = self.find(model)
        return None if price is None else price.cost(usage)

    def before(self, other: "PriceTable") -> "PriceTable":
        """A table that asks this one first, and the other for what it does not know."""
        return PriceTable(*self.layers, *other.layers)

    def __len__(self) -> int:
        return sum(map(len, self.layers))


@cache
def shipped_prices() -> PriceTable:
    """The table that comes with powerloop: ``prices.toml`` beside this file, with sources and dates."""
    text = files(__package__).joinpath("prices.toml").read_text(encoding="utf-8")
    return PriceTable(_parse(text, "prices.toml"))


def read_prices(file: str | Path) -> PriceTable:
    """The prices of a file in the form of ``prices.toml``.

    Raises:
        SettingsInvalid: it cannot be read, or is not in that form.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"the prices of {file} cannot be read: {error}.") from error
    return PriceTable(_parse(text, str(file)))


def known_prices(file: str = "", own: PriceTable | None = None) -> PriceTable:
    """The prices of the file if one is named, before those of `own`, before those that come with powerloop.

    Raises:
        SettingsInvalid: the file cannot be read, or is not in the form of ``prices.toml``.
    """
    prices = own.before(shipped_prices()) if own else shipped_prices()
    return read_prices(file).before(prices) if file else prices


def _in_layer(layer: Mapping[str, Price], model: str) -> Price | None:
    for name in (model, _VERSION.sub("", model)):
        if name in layer:
            return layer[name]
    wild = [key for key in layer if key.endswith("*") and model.startswith(key[:-1])]
    return layer[max(wild, key=len)] if wild else None


def _parse(text: str, where: str) -> dict[str, Price]:
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"{where} is not TOML: {error}.") from error
    prices: dict[str, Price] = {}
    for provider, about in data.items():
        _check_keys(about, _ABOUT, f"{where}: {provider}")
        models = about.get("models", {})
        _check_keys(models, models, f"{where}: {provider}.models")
        for model, rates in models.items():
            prices[f"{provider}:{model}"] = _price(rates, f"{where}: {provider}:{model}")
    return prices


def _price(rates: Any, where: str) -> Price:  # noqa: ANN401 - whatever the file holds
    _check_keys(rates, (*_RATES, "long"), where)
    given = {name: rate for name, rate in rates.items() if name != "long"}
    longer = rates.get("long")
    try:
        return Price(**given, long=None if longer is None else _long_price(longer, where))
    except (TypeError, InvalidInput) as error:
        wrong = error.message if isinstance(error, InvalidInput) else "input and output need a price."
        raise SettingsInvalid(f"{where}: {wrong}") from error


def _long_price(rates: Any, where: str) -> Price:  # noqa: ANN401 - whatever the file holds
    _check_keys(rates, (*_RATES, "over"), f"{where}: long")
    if not isinstance(rates.get("over"), int) or rates["over"] < 1:
        raise SettingsInvalid(f"{where}: long.over is the number of input tokens above which it holds.")
    return Price(**rates)


def _check_keys(table: Any, known: Any, where: str) -> None:  # noqa: ANN401 - whatever the file holds
    if not isinstance(table, dict):
        raise SettingsInvalid(f"{where} is a table, not {table!r}.")
    for key in table:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            raise SettingsInvalid(
                f"{where} has no {key!r}.", hint=f"Did you mean {close[0]!r}?" if close else None
            )
