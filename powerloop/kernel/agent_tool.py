"""An agent as a tool of another one: each call starts it as a sub-agent."""

import re
from collections.abc import Mapping
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.kernel.waits import Spawn, SpawnMode

SpawnModeName: TypeAlias = SpawnMode | Literal["wait", "detach"]
LifecycleName: TypeAlias = Lifecycle | Literal["linked", "ephemeral", "detached"]

_DESCRIPTIONS: Final[Mapping[SpawnMode, str]] = {
    SpawnMode.WAIT: "Give a task to the agent {name}, and get its answer.",
    SpawnMode.DETACH: "Give a task to the agent {name} and go on. Its answer is sent to you later.",
}

_PARAMETERS: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "input": {
            "type": "string",
            "minLength": 1,
            "description": "The task, with all that is needed for it: nothing else of this conversation is "
            "known to the agent.",
        }
    },
    "required": ["input"],
    "additionalProperties": False,
}

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")
_MAX_NAME_LENGTH: Final = 64


class NamedAgent(Protocol):
    """What a tool knows of the agent that it starts."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


AgentT = TypeVar("AgentT", bound=NamedAgent)


class AgentTool(Generic[AgentT]):
    """A tool whose calls start an agent. Made by `Agent.as_tool`, which describes the arguments.

    Raises:
        InvalidInput: providers do not take the name, or the mode or the lifecycle is none.
    """

    def __init__(
        self,
        agent: AgentT,
        *,
        name: str | None = None,
        description: str | None = None,
        mode: SpawnModeName = SpawnMode.WAIT,
        lifecycle: LifecycleName = Lifecycle.LINKED,
    ) -> None:
        self.agent = agent
        self._mode = _member(SpawnMode, mode, "mode")
        self._lifecycle = _member(Lifecycle, lifecycle, "lifecycle")
        fallback = _UNFIT.sub("_", agent.name)[:_MAX_NAME_LENGTH]
        self._spec = ToolSpec(
            name=fallback if name is None else _checked(name, agent),
            description=description or _DESCRIPTIONS[self._mode].format(name=agent.name),
            parameters=_PARAMETERS,
            # Whatever it does is done by its own calls, which say so themselves.
            effect=Effect.READ,
        )

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    @property
    def agents(self) -> tuple[AgentT, ...]:
        """The agents that calls may start."""
        return (self.agent,)

    def __repr__(self) -> str:
        return f"<AgentTool {self._spec.name}>"

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> Spawn:
        """What the call waits for: the agent."""
        del context
        return Spawn(
            agent=self.agent.name,
            content=(TextBlock(text=arguments["input"]),),
            mode=self._mode,
            lifecycle=self._lifecycle,
        )


MemberT = TypeVar("MemberT", SpawnMode, Lifecycle)


def _member(kind: type[MemberT], value: MemberT | str, what: str) -> MemberT:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise InvalidInput(f"there is no {what} {value!r}.", hint=f"There are: {known}.") from None


def _checked(name: str, agent: NamedAgent) -> str:
    if not 1 <= len(name) <= _MAX_NAME_LENGTH or _UNFIT.search(name):
        raise InvalidInput(
            f"agent {agent.name!r} as a tool: {name!r} is not a name that providers take.",
            hint="A tool's name has 1 to 64 letters, digits, _ and -.",
        )
    return name
