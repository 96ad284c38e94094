"""What a module of an application gives to its workers."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from powerloop.client.app import load_app

AGENT = "from powerloop import Agent\nsupport = Agent(name='support', model='mine:m')\n"
PRICES = """
from decimal import Decimal
from powerloop.llm import Price, PriceTable
PRICES = PriceTable({"mine:m": Price(input=Decimal(1), output=Decimal(2))})
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a module that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text) and None


def test_a_table_of_prices_belongs_to_its_module(module):
    module("priced_app", AGENT + PRICES)
    prices = load_app("priced_app").prices
    assert prices is not None
    assert prices.layers[0]["mine:m"].output == Decimal(2)


def test_a_module_needs_no_table_of_prices(module):
    module("unpriced_app", AGENT)
    assert load_app("unpriced_app").prices is None
