"""The implementations that each suite runs on."""

from collections.abc import AsyncIterator, Callable

import pytest

from powerloop.testing.model_providers import ScriptedProvider, ToldProvider, WireProvider, WrittenDeltas
from powerloop.testing.wire import WireServer

MODEL_PROVIDERS: dict[str, Callable[[WireServer], ToldProvider]] = {
    "scripted": lambda _wire: ScriptedProvider(),
    "openai": lambda wire: WireProvider("openai:gpt-test", wire),
    "anthropic": lambda wire: WireProvider("anthropic:claude-test", wire),
}


@pytest.fixture(params=MODEL_PROVIDERS)
async def provider(request: pytest.FixtureRequest, powerloop_wire: WireServer) -> AsyncIterator[ToldProvider]:
    """A kind of model that does as it is told."""
    provider = MODEL_PROVIDERS[request.param](powerloop_wire)
    yield provider
    await provider.close()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def written(request: pytest.FixtureRequest) -> WrittenDeltas | None:
    """Whether the answer is streamed, and what was."""
    return WrittenDeltas() if request.param else None
