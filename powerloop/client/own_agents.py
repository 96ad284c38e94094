"""Our own agents: the one whose sends are runs of workflows, and the one that asks people for them."""

from collections.abc import Iterable

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.workflows import ASKER, CALLER, OWN_PREFIX, RUNNER
from powerloop.tools.builtin.ask_user import ask_user
from powerloop.workflow.run_tool import RunTool

#: One for the call, one for the answer, and one to spare.
_ROUNDS = 3


def with_own(agents: Iterable[Agent]) -> AgentRegistry:
    """The agents, and our own.

    Raises:
        InvalidInput: one of the agents has the name of one of ours.
    """
    runner = Agent(name=RUNNER, model=CALLER, tools=[RunTool()], max_rounds=_ROUNDS)
    asker = Agent(name=ASKER, model=CALLER, tools=[ask_user()], max_rounds=_ROUNDS)
    return AgentRegistry([*agents, runner, asker])


def announced(agents: Iterable[Agent]) -> list[AnnouncedAgent]:
    """What producers are told of: the agents that are not our own."""
    return [AnnouncedAgent.of(agent) for agent in agents if not agent.name.startswith(OWN_PREFIX)]
