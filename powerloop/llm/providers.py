"""The providers that need an SDK. It is imported here, when the first model of its provider is asked for."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from powerloop.kernel.errors import SdkMissing
from powerloop.kernel.ports.model import Model
from powerloop.llm.settings import ProviderSettings

#: Makes a provider's model at its first use. It may raise `SdkMissing` or `KeyMissing`.
ProviderFactory: TypeAlias = Callable[[ProviderSettings], Model]


def openai(settings: ProviderSettings) -> Model:
    """Models of ``openai:``."""
    try:
        from powerloop.llm.openai import OpenAIModel  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise _sdk_missing("openai", error) from error
    return OpenAIModel(settings)


def anthropic(settings: ProviderSettings) -> Model:
    """Models of ``anthropic:``."""
    try:
        from powerloop.llm.anthropic import AnthropicModel  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise _sdk_missing("anthropic", error) from error
    return AnthropicModel(settings)


SDK_PROVIDERS: Mapping[str, ProviderFactory] = MappingProxyType({"openai": openai, "anthropic": anthropic})


def _sdk_missing(extra: str, error: ModuleNotFoundError) -> SdkMissing:
    return SdkMissing(
        f"models of {extra}: need the module {error.name!r}, which is not installed.",
        hint=f"Run: pip install 'powerloop[{extra}]'",
    )
