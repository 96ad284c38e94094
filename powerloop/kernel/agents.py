"""Agents: named definitions of a model, its instructions, its tools and its limits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from powerloop.kernel.errors import AgentUnknown, InvalidInput
from powerloop.kernel.hooks.hook import Hook, check_hooks
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.policies import Policy
from powerloop.kernel.tools import Tool

MAX_AGENT_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A named definition: model, instructions, tools, limits.

    Raises:
        InvalidInput: a name is empty or too long, two tools or two hooks have one name, a limit is not
            positive, or the model is not given as ``provider:model``.
    """

    name: str
    #: ``provider:model``: ``openai:gpt-4o-mini``, ``anthropic:claude-sonnet-4-5``, ``scripted:demo``.
    model: str
    #: The system prompt.
    instructions: str = ""
    #: What it may call; empty means none.
    tools: Sequence[Tool] = ()
    #: The most model calls of one send; then the send ends with `StopReason.ROUND_LIMIT`.
    max_rounds: int = 25
    #: The longest that one model call may take, retries included.
    model_timeout: timedelta = timedelta(minutes=5)
    settings: ModelSettings = field(default_factory=ModelSettings)
    #: How large the tree of sub-agents below one send may grow.
    tree: TreeLimits = field(default_factory=TreeLimits)
    #: What one send may use, with all the sub-agents below it; nothing is limited unless given.
    budget: Budget = field(default_factory=Budget)
    #: What happens to a send that says nothing about it and finds its session busy: `kernel.policies`.
    policy: Policy = Policy.ENQUEUE
    #: Who observes, changes or vetoes what its sends do, in this order: `powerloop.kernel.hooks`.
    hooks: Sequence[Hook] = ()
    #: What its tools get as `ToolContext.deps`: clients, pools, configuration.
    deps: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tools", tuple(self.tools))
        object.__setattr__(self, "hooks", tuple(self.hooks))
        if not 1 <= len(self.name) <= MAX_AGENT_NAME_LENGTH:
            raise InvalidInput(
                f"an agent's name has 1 to {MAX_AGENT_NAME_LENGTH} characters, not {len(self.name)}."
            )
        provider, colon, model = self.model.partition(":")
        if not (provider and colon and model):
            raise InvalidInput(
                f"agent {self.name!r}: model {self.model!r} is not of the form provider:model.",
                hint="For example openai:gpt-4o-mini, anthropic:claude-sonnet-4-5 or scripted:demo.",
            )
        if self.max_rounds < 1:
            raise InvalidInput(f"agent {self.name!r}: max_rounds is at least 1, not {self.max_rounds}.")
        if self.model_timeout <= timedelta(0):
            raise InvalidInput(f"agent {self.name!r}: model_timeout must be longer than nothing.")
        _check_tools(self.name, self.tools)
        check_hooks(self.name, self.hooks)


def _check_tools(agent: str, tools: Iterable[Any]) -> None:
    names: set[str] = set()
    for tool in tools:
        if not hasattr(tool, "spec"):
            raise InvalidInput(
                f"agent {agent!r}: {getattr(tool, '__name__', tool)!r} is not a tool.",
                hint="Decorate it with @tool.",
            )
        if tool.spec.name in names:
            raise InvalidInput(f"agent {agent!r} has two tools named {tool.spec.name!r}.")
        names.add(tool.spec.name)


class AgentRegistry:
    """The agents that a process can run, by name.

    Raises:
        InvalidInput: two different agents have one name.
    """

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        by_name: dict[str, Agent] = {}
        for agent in agents:
            if by_name.setdefault(agent.name, agent) is not agent:
                raise InvalidInput(f"two agents are named {agent.name!r}.")
        self._by_name = MappingProxyType(by_name)

    def get(self, name: str) -> Agent:
        """The agent of that name.

        Raises:
            AgentUnknown: there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise AgentUnknown(name, self._by_name) from None

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name
