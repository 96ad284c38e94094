"""The directory of announced agents, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.store.memory.state import State


class MemoryAgents:
    """The `AgentDirectory` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def announce(self, agents: Sequence[AnnouncedAgent]) -> None:
        for agent in agents:
            earlier = self._state.agents.get(clean_text(agent.name))
            asks = agent.asks_timers or (earlier is not None and earlier.asks_timers)
            self._state.agents[clean_text(agent.name)] = replace(agent, asks_timers=asks)

    async def names(self) -> frozenset[str]:
        return frozenset(self._state.agents)

    async def models(self) -> dict[str, str]:
        return {name: clean_text(agent.model) for name, agent in self._state.agents.items()}

    async def policy_of(self, name: str) -> Policy | None:
        agent = self._state.agents.get(clean_text(name))
        return agent.policy if agent else None
