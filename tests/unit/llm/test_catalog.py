"""Models by their names."""

import builtins
from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.errors import KeyMissing, ModelDeadline, ProviderUnknown, SdkMissing, SettingsInvalid
from powerloop.kernel.messages import text_of
from powerloop.kernel.usage import Usage
from powerloop.llm import ModelCatalog, Price, PriceTable, ProviderSettings, Script, Turn
from powerloop.testing.model_providers import make_request


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opneai:gpt-4o", "Did you mean 'openai:gpt-4o'?"),
        ("Anthropic:claude", "Did you mean 'anthropic:claude'?"),
        ("gpt-4o", "anthropic:, openai:, scripted:"),
        ("openai:", "Write provider:model."),
        ("", "Put its provider before it"),
        ("zzz:x", "anthropic:, openai:, scripted:"),
    ],
)
def test_an_unknown_name_is_answered_with_a_suggestion(name: str, words: str):
    with pytest.raises(ProviderUnknown) as raised:
        ModelCatalog().get(name)

    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("name", "variable"), [("openai:x", "OPENAI_API_KEY"), ("anthropic:x", "ANTHROPIC_API_KEY")]
)
def test_a_provider_without_a_key_says_which_variable_to_set(name: str, variable: str):
    with pytest.raises(KeyMissing, match=variable):
        ModelCatalog().get(name)


def test_a_server_of_ones_own_needs_no_key():
    settings = ProviderSettings(
        openai_base_url="http://127.0.0.1:1/v1", anthropic_base_url="http://127.0.0.1:1"
    )

    catalog = ModelCatalog(settings)

    assert catalog.get("openai:llama")
    assert catalog.get("anthropic:claude")


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_missing_sdk_is_answered_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, sdk: str
):
    import_module = builtins.__import__

    def without_the_sdk(name, *args, **kwargs):
        if name == f"powerloop.llm.{sdk}":
            raise ModuleNotFoundError(f"No module named {sdk!r}", name=sdk)
        return import_module(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_the_sdk)

    with pytest.raises(SdkMissing) as raised:
        ModelCatalog().get(f"{sdk}:x")

    assert f"pip install 'powerloop[{sdk}]'" in str(raised.value)


def test_models_of_one_provider_are_one_object():
    catalog = ModelCatalog()

    assert catalog.get("scripted:demo") is catalog.get("scripted:echo")


async def test_a_provider_of_ones_own_is_wrapped_like_the_others(inner):
    model = inner("", "mine")
    made: list[ProviderSettings] = []
    settings = ProviderSettings(openai_api_key="k")

    def factory(settings: ProviderSettings):
        made.append(settings)
        return model

    catalog = ModelCatalog(settings, providers={"mine": factory}, random=lambda: 0.0)
    reply = await catalog.get("mine:x").respond(make_request("mine:x"))
    catalog.get("mine:y")

    assert text_of(reply.content) == "mine"
    assert [entry.error_code for entry in reply.attempts] == ["model.empty", None]
    assert made == [settings]


async def test_a_provider_of_ones_own_costs_what_its_table_says(inner):
    prices = PriceTable({"mine:x": Price(input=Decimal(1000), output=Decimal(1000))})
    catalog = ModelCatalog(providers={"mine": lambda _settings: inner("yes")}, prices=prices)

    (entry,) = (await catalog.get("mine:x").respond(make_request("mine:x"))).attempts

    assert entry.cost == catalog.cost_of("mine:x", entry.usage) == Decimal("0.005")


async def test_the_shipped_prices_hold_unless_others_are_given():
    usage = Usage(input_tokens=1_000_000)
    assert ModelCatalog().cost_of("openai:gpt-4o", usage) == Decimal("2.5")
    assert ModelCatalog(prices=PriceTable()).cost_of("openai:gpt-4o", usage) is None


async def test_closing_closes_every_model_that_was_made(inner):
    model = inner()
    catalog = ModelCatalog(providers={"mine": lambda _settings: model})
    catalog.get("mine:x")

    await catalog.close()

    assert model.closed


async def test_a_scripts_delay_is_bounded_by_the_deadline():
    catalog = ModelCatalog(scripts={"slow": Script(otherwise=Turn(text="x", delay=timedelta(seconds=60)))})

    with pytest.raises(ModelDeadline):
        await catalog.get("scripted:slow").respond(make_request("scripted:slow", deadline_s=0.01))


def test_settings_come_from_the_variables_that_the_sdks_use():
    settings = ProviderSettings.from_environ(
        {
            "OPENAI_API_KEY": " a\n",
            "OPENAI_BASE_URL": "http://b",
            "ANTHROPIC_API_KEY": "c",
            "ANTHROPIC_BASE_URL": "https://d",
        }
    )

    assert settings == ProviderSettings(
        openai_api_key="a",
        openai_base_url="http://b",
        anthropic_api_key="c",
        anthropic_base_url="https://d",
    )
    assert ProviderSettings.from_environ({}) == ProviderSettings()


def test_keys_are_not_shown():
    assert "hush" not in repr(ProviderSettings(openai_api_key="hush", anthropic_api_key="hush"))


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(SettingsInvalid, match="OPENAI_BASE_URL"):
        ProviderSettings(openai_base_url="localhost:8000")
