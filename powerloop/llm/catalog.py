"""The catalogue: every model by its name, ``provider:model``."""

import random as randomness
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType

from powerloop.kernel.clock import Clock, SystemClock
from powerloop.kernel.errors import ProviderUnknown
from powerloop.kernel.ports.model import Model
from powerloop.kernel.usage import Usage
from powerloop.llm.bounded import Bounded
from powerloop.llm.demo import BUILT_IN
from powerloop.llm.direct import DirectModel
from powerloop.llm.metered import Metered
from powerloop.llm.prices import PriceTable, shipped_prices
from powerloop.llm.providers import SDK_PROVIDERS, ProviderFactory
from powerloop.llm.retrying import Retrying, RetryPolicy
from powerloop.llm.script import Script
from powerloop.llm.scripted import ScriptedModel
from powerloop.llm.settings import ProviderSettings

_NOTHING: Mapping[str, ProviderFactory] = MappingProxyType({})
_NO_SCRIPTS: Mapping[str, Script] = MappingProxyType({})


class ModelCatalog:
    """The models ``openai:``, ``anthropic:``, ``scripted:`` and those of providers of your own.

    Providers are made at their first use, so that an SDK nobody uses is never imported. Each is wrapped, from
    the inside: `Bounded` (deadline), `Metered` (usage and cost), `Retrying`.

    Args:
        settings: Keys and addresses.
        scripts: What ``scripted:NAME`` plays, besides ``demo`` and ``echo``.
        providers: Factories of providers of your own, by the name before the colon. They win over ours.
        retries: How often and when a call is tried again.
        clock: Tells the time to scripts, meter and retries.
        random: Draws numbers from 0 to 1, for the jitter of retries.
        prices: What calls cost; `shipped_prices` unless given.
    """

    def __init__(
        self,
        settings: ProviderSettings | None = None,
        *,
        scripts: Mapping[str, Script] = _NO_SCRIPTS,
        providers: Mapping[str, ProviderFactory] = _NOTHING,
        retries: RetryPolicy | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = randomness.random,
        prices: PriceTable | None = None,
    ) -> None:
        self._settings = settings or ProviderSettings()
        self._scripts = {**BUILT_IN, **scripts}
        self._retries = retries or RetryPolicy()
        self._clock = clock or SystemClock()
        self._random = random
        self._prices = shipped_prices() if prices is None else prices
        self._factories: Mapping[str, ProviderFactory] = {
            **SDK_PROVIDERS,
            "scripted": self._scripted,
            "direct": lambda _settings: DirectModel(),
            **providers,
        }
        self._models: dict[str, Model] = {}

    def get(self, name: str) -> Model:
        provider, colon, model = name.partition(":")
        if not (colon and model and provider in self._factories):
            raise self._unknown(name)
        if provider not in self._models:
            self._models[provider] = self._wrapped(self._factories[provider](self._settings))
        return self._models[provider]

    def cost_of(self, name: str, usage: Usage) -> Decimal | None:
        return self._prices.cost_of(name, usage)

    async def close(self) -> None:
        models, self._models = self._models, {}
        for model in models.values():
            await model.close()

    def _wrapped(self, model: Model) -> Model:
        if isinstance(model, DirectModel):
            # It calls no model: nothing is to be metered, or tried again.
            return model
        metered = Metered(Bounded(model), self._clock, self._prices)
        return Retrying(metered, self._clock, random=self._random, policy=self._retries)

    def _scripted(self, _settings: ProviderSettings) -> Model:
        return ScriptedModel(self._scripts, self._clock)

    def _unknown(self, name: str) -> ProviderUnknown:
        provider, colon, model = name.partition(":")
        known = ", ".join(f"{provider}:" for provider in sorted(self._factories) if provider != "direct")
        if not colon:
            return ProviderUnknown(
                f"{name!r} does not say whose model it is.",
                hint=f"Put its provider before it: one of {known}",
            )
        if not model:
            return ProviderUnknown(f"{name!r} names no model.", hint="Write provider:model.")
        close = get_close_matches(provider, self._factories, n=1)
        hint = f"Did you mean {f'{close[0]}:{model}'!r}?" if close else f"The providers are {known}"
        return ProviderUnknown(f"no provider is called {provider!r}.", hint=hint)
