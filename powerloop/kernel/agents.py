"""Agents: named definitions of a model, its instructions, its tools and its limits."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from powerloop.kernel.agent_tool import AgentTool, LifecycleName, SpawnModeName
from powerloop.kernel.errors import AgentUnknown, InvalidInput
from powerloop.kernel.hooks.hook import Hook, check_hooks
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.policies import Policy
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.tools import Tool
from powerloop.kernel.waits import SpawnMode

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

    def as_tool(
        self,
        name: str | None = None,
        description: str | None = None,
        *,
        mode: SpawnModeName = SpawnMode.WAIT,
        lifecycle: LifecycleName = Lifecycle.LINKED,
    ) -> "AgentTool[Agent]":
        """This agent as a tool of another one: each call starts it as a sub-agent, with a session of its own.

        The model gives one text, ``input``; nothing else of its conversation is known to the sub-agent.

        Args:
            name: What the model calls the tool; by default the agent's name, with ``_`` for what providers do
                not take.
            description: What the model is told: say when the agent is the one to ask.
            mode: ``"wait"``: the sub-agent's answer is the result of the call. ``"detach"``: a receipt is,
                and the answer is sent later.
            lifecycle: ``"linked"``: a cancel of the one that calls reaches the sub-agent. ``"ephemeral"``:
                that too, and its session is closed as soon as it has answered. ``"detached"``: neither.

        Raises:
            InvalidInput: providers do not take the name, or the mode or the lifecycle is none.
        """
        return AgentTool(self, name=name, description=description, mode=mode, lifecycle=lifecycle)


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


def _startable(agent: Agent) -> Iterator[Agent]:
    """The agents that its tools may start, as far as they are not known to them by name only."""
    for tool in agent.tools:
        yield from (known for known in getattr(tool, "agents", ()) if isinstance(known, Agent))


class AgentRegistry:
    """The agents that a process can run, by name: those given, and those that tools of these may start.

    Raises:
        InvalidInput: two different agents have one name.
    """

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        by_name: dict[str, Agent] = {}
        found = deque(agents)
        while found:
            agent = found.popleft()
            if agent.name not in by_name:
                by_name[agent.name] = agent
                found.extend(_startable(agent))
            elif by_name[agent.name] is not agent:
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

    @property
    def tool_queues(self) -> tuple[QueueName, ...]:
        """The queues that tools of these agents have of their own."""
        named = (tool.spec.queue for agent in self for tool in agent.tools)
        return tuple(sorted({queue for queue in named if queue}))

    def __iter__(self) -> Iterator[Agent]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name
