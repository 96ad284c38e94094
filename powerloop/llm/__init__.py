"""Models behind one port: providers, scripts, and what wraps them."""

from powerloop.llm.catalog import ModelCatalog
from powerloop.llm.prices import Price, PriceTable, known_prices
from powerloop.llm.providers import ProviderFactory
from powerloop.llm.retrying import RetryPolicy
from powerloop.llm.script import Failure, Rule, Script, ScriptedCall, Turn
from powerloop.llm.settings import ProviderSettings

__all__ = [
    "Failure",
    "ModelCatalog",
    "Price",
    "PriceTable",
    "ProviderFactory",
    "ProviderSettings",
    "RetryPolicy",
    "Rule",
    "Script",
    "ScriptedCall",
    "Turn",
    "known_prices",
]
