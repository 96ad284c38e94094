"""The directory of announced agents, in memory."""

from collections.abc import Sequence

from powerloop.kernel.jsontypes import clean_text
from powerloop.store.memory.state import State


class MemoryAgents:
    """The `AgentDirectory` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def announce(self, agents: Sequence[tuple[str, str]]) -> None:
        self._state.agents.update((clean_text(name), clean_text(model)) for name, model in agents)

    async def names(self) -> frozenset[str]:
        return frozenset(self._state.agents)

    async def models(self) -> dict[str, str]:
        return dict(self._state.agents)
