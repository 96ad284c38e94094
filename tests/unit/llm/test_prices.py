"""What calls cost: the shipped table, tables of one's own, and what has no price."""

import tomllib
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from powerloop.kernel.errors import InvalidInput, SettingsInvalid
from powerloop.kernel.usage import Usage
from powerloop.llm.prices import Price, PriceTable, known_prices, read_prices, shipped_prices

PRICE = Price(input=Decimal(10), cached=Decimal(1), cache_write=Decimal("12.5"), output=Decimal(50))
MILLION = 1_000_000


def tokens(**counts: int) -> Usage:
    return Usage(**{f"{name}_tokens": count for name, count in counts.items()})


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    return file


def test_each_kind_of_token_has_its_price():
    usage = tokens(input=6, cached=2, cache_write=1, output=4, reasoning=3)
    # 3 fresh, 2 cached, 1 written, 4 of output in which the reasoning is.
    assert PRICE.cost(usage) == Decimal("0.0002445")


def test_cached_tokens_without_a_price_of_their_own_cost_what_input_costs():
    price = Price(input=Decimal(2), output=Decimal(8))
    assert price.cost(tokens(input=MILLION, cached=600_000, cache_write=300_000)) == Decimal(2)


def test_a_provider_that_counts_cached_tokens_apart_makes_no_cost_negative():
    assert PRICE.cost(tokens(input=1, cached=3)) == Decimal("0.000003")


@pytest.mark.parametrize(("count", "cost"), [(100, "0.0001"), (101, "0.000505")])
def test_the_price_of_long_calls_holds_for_the_whole_call(count, cost):
    long = Price(input=Decimal(5), output=Decimal(5), over=100)
    assert Price(input=Decimal(1), output=Decimal(1), long=long).cost(tokens(input=count)) == Decimal(cost)


def test_a_model_that_is_not_in_the_table_has_no_cost():
    assert PriceTable({"a:b": PRICE}).cost_of("a:c", tokens(input=1)) is None


def test_no_tokens_cost_nothing_even_where_the_price_is_not_known():
    assert PriceTable().cost_of("a:b", Usage()) == 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("p:m", "p:m"),
        ("p:m-2024-08-06", "p:m"),
        ("p:m-20240806", "p:m"),
        ("p:m-0613", "p:m"),
        ("p:m-latest", "p:m"),
        ("p:m-2025-01-01", "p:m-2025-01-01"),
        ("p:m-mini", None),
        ("p:m2", None),
        ("q:m", None),
        ("p:own-7b", "p:own-*"),
        ("p:own-big-70b", "p:own-big-*"),
        ("p:own-exact", "p:own-exact"),
    ],
)
def test_a_name_is_found_whole_or_without_its_version_or_by_the_longest_beginning(asked, found):
    names = ("p:m", "p:m-2025-01-01", "p:own-*", "p:own-big-*", "p:own-exact")
    prices = {name: Price(input=Decimal(n), output=Decimal(n)) for n, name in enumerate(names)}
    assert PriceTable(prices).find(asked) == (prices[found] if found else None)


def test_a_table_of_ones_own_is_asked_before_the_shipped_one(tmp_path: Path):
    file = written(tmp_path, '[openai.models]\n"*" = { input = 0.5, output = 1 }')
    prices = known_prices(str(file), PriceTable({"openai:gpt-4o": PRICE, "mine:m": PRICE}))

    assert prices.cost_of("openai:gpt-4o-2024-05-13", tokens(input=MILLION)) == Decimal("0.5")
    assert prices.find("mine:m") == PRICE
    assert prices.find("anthropic:claude-haiku-4-5") == shipped_prices().find("anthropic:claude-haiku-4-5")


@pytest.mark.parametrize(
    ("model", "billionths"),
    [
        ("openai:gpt-4o-mini", 402 * 150 + 203 * 75 + 127 * 600),
        ("openai:gpt-4o-2024-08-06", 402 * 2500 + 203 * 1250 + 127 * 10_000),
        ("openai:gpt-5-nano", 402 * 50 + 203 * 5 + 127 * 400),
        ("anthropic:claude-haiku-4-5-20251001", 402 * 1000 + 203 * 100 + 127 * 5000),
        ("scripted:demo", 0),
    ],
)
def test_well_known_models_cost_what_their_providers_say(model, billionths):
    usage = tokens(input=605, cached=203, output=127, reasoning=27)
    assert shipped_prices().cost_of(model, usage) == Decimal(billionths).scaleb(-9)


def test_every_provider_of_the_shipped_table_names_its_source_and_the_day():
    data = tomllib.loads(files("powerloop.llm").joinpath("prices.toml").read_text())
    assert {"openai", "anthropic"} <= set(data)
    for about in data.values():
        assert about["source"]
        assert isinstance(about["as_of"], date)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[openai", "is not TOML"),
        ("openai = 3", "is a table"),
        ("[openai]\nmodles = 3", "Did you mean 'models'"),
        ('[openai.models]\n"m" = 3', "is a table"),
        ('[openai.models]\n"m" = { input = 3 }', "input and output need a price"),
        ('[openai.models]\n"m" = { input = 3, output = -1 }', "-1 for output"),
        ('[openai.models]\n"m" = { input = "3", output = 1 }', "'3' for input"),
        ('[openai.models]\n"m" = { input = nan, output = 1 }', "for input"),
        ('[openai.models]\n"m" = { input = 3, output = 1, cache = 1 }', "Did you mean"),
        ('[openai.models]\n"m" = { input = 3, output = 1, long = { input = 1, output = 1 } }', "long.over"),
    ],
)
def test_a_file_that_is_not_a_table_of_prices_is_refused_in_words(tmp_path: Path, text: str, words: str):
    with pytest.raises(SettingsInvalid, match=words):
        read_prices(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SettingsInvalid, match=r"none\.toml"):
        read_prices(tmp_path / "none.toml")


def test_a_price_is_never_a_float():
    with pytest.raises(InvalidInput, match="Decimal"):
        Price(input=0.1, output=Decimal(1))  # type: ignore[arg-type] # that is the point
