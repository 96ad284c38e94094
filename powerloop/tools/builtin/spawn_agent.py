"""The tool by which a model starts agents: those that it may name, and those that it describes."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

from jsonschema import Draft202012Validator

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.jsontypes import JSON, JSONObject
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.tools import ToolContext
from powerloop.kernel.waits import Spawn, SpawnMode
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.words import explain
from powerloop.tools.agent_spec import AgentSpec, spec_schema
from powerloop.tools.arguments import Bound, without_nulls
from powerloop.tools.builtin.spawn_problems import Offer, misfits
from powerloop.tools.function import FunctionTool
from powerloop.tools.spec import make_spec

NAME: Final = "spawn_agent"

_DESCRIPTION: Final = (
    "Start an agent on a task of its own. It knows nothing of this conversation but the input. Agents that "
    "are started together work at the same time."
)

_INPUT: Final[Mapping[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "description": "The task, with all that is needed for it.",
}
_MODE: Final[Mapping[str, Any]] = {
    "type": "string",
    "enum": [mode.value for mode in SpawnMode],
    "description": "wait (default): its answer is the result. detach: go on, and it is sent to you later.",
}
_LIFECYCLE: Final[Mapping[str, Any]] = {
    "type": "string",
    "enum": [lifecycle.value for lifecycle in Lifecycle],
    "description": "linked: it is cancelled when you are. ephemeral: that too, and it takes no further task. "
    "detached: it lives by itself. By default ephemeral for an agent of your making, linked for any other.",
}


def spawn_agent(
    agents: Sequence[Agent | str] = (), *, inline: bool = True, detach: bool = True
) -> FunctionTool[..., Awaitable[Spawn]]:
    """A tool by which a model starts sub-agents: ``tools=[search, spawn_agent([writer, critic])]``.

    Each call is a session and a send of its own; the caller waits for it without a slot. The model names one
    of `agents`, or describes one in a ``spec`` (see `AgentSpec`), which is the calling agent with another
    name, model, instructions or fewer tools. Nothing that is started can do more than the agent that its
    definition allows: tools are narrowed only, and limits and deadlines are inherited. Whatever is wrong with
    a call is told to the model at once.

    A session of an agent that was named is `Lifecycle.LINKED` unless the model says otherwise; that of one
    that was described is `Lifecycle.EPHEMERAL`, as nobody could go on with it by name.

    Args:
        agents: What the model may name. Agents are registered with the one that has the tool; of a mere name,
            workers must know the agent.
        inline: Whether the model may describe agents.
        detach: Whether the model may go on without waiting.

    Raises:
        InvalidInput: nothing could be started, or two of `agents` have one name.
    """
    named = {agent if isinstance(agent, str) else agent.name: agent for agent in agents}
    if len(named) < len(agents):
        raise InvalidInput(f"tool {NAME}: two of its agents have one name.")
    if not named and not inline:
        raise InvalidInput(f"tool {NAME}: it could start nothing.", hint="Give it agents, or inline=True.")
    known = [agent for agent in agents if isinstance(agent, Agent)]
    offer = Offer(
        agents=tuple(named),
        tools={agent.name: tuple(tool.spec.name for tool in agent.tools) for agent in known},
        inline=inline,
    )
    arguments = _Arguments(_schema(offer, detach))
    validator = Draft202012Validator(arguments.schema)

    async def spawn(context: ToolContext[Any], asked: Mapping[str, Any]) -> Spawn:
        problems = problems_of(validator.iter_errors(asked), arguments.schema)
        problems += misfits(asked, offer, context)
        if problems:
            raise ToolArgumentsInvalid(explain(problems, arguments.schema))
        return _spawn(asked, context)

    spec = make_spec(
        NAME,
        _DESCRIPTION,
        arguments.schema,
        # Whatever agents do is done by their own calls, which say so themselves.
        effect=Effect.READ,
        concurrent=None,
        timeout=None,
        approval=None,
    )
    return FunctionTool(spawn, spec, arguments, takes_context=True, blocking=False, agents=known)


class _Arguments:
    """Takes everything: what is wrong with it, only the calling agent can tell, and all is told at once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema

    def check(self, given: Mapping[str, Any]) -> Bound:
        asked = without_nulls(given)
        if isinstance(spec := asked.get("spec"), Mapping):
            asked["spec"] = without_nulls(spec)
        return Bound(args=(asked,))


def _schema(offer: Offer, detach: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = ["input"]
    if offer.agents:
        properties["agent"] = {
            "type": "string",
            "enum": list(offer.agents),
            "description": "The agent to start.",
        }
        properties["tools"] = {
            "type": "array",
            "items": {"type": "string"},
            "uniqueItems": True,
            "description": "The tools of that agent that it gets. By default all.",
        }
    if offer.inline:
        properties["spec"] = spec_schema()
    if not (offer.agents and offer.inline):
        required.append("agent" if offer.agents else "spec")
    properties["input"] = _INPUT
    if detach:
        properties["mode"] = _MODE
    properties["lifecycle"] = _LIFECYCLE
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _spawn(asked: Mapping[str, Any], context: ToolContext[Any]) -> Spawn:
    """What the call waits for. Its arguments were checked."""
    described = AgentSpec.model_validate(asked["spec"]) if "spec" in asked else None
    fallback = Lifecycle.EPHEMERAL if described else Lifecycle.LINKED
    return Spawn(
        agent=described.name if described else asked["agent"],
        content=(TextBlock(text=asked["input"]),),
        spec=_inherited(described, context) if described else _narrowing(asked),
        mode=SpawnMode(asked.get("mode", SpawnMode.WAIT)),
        lifecycle=Lifecycle(asked.get("lifecycle", fallback)),
    )


def _narrowing(asked: Mapping[str, Any]) -> JSONObject | None:
    return {"tools": asked["tools"]} if "tools" in asked else None


def _inherited(described: AgentSpec, context: ToolContext[Any]) -> JSONObject:
    """The calling agent as a base. Where it is none that workers know, what it differs by is passed on."""
    own = dict(context.spec or {})
    spec: dict[str, JSON] = {"base": context.agent, **own, **described.changes()}
    limits = [limit for limit in (own.get("max_rounds"), described.max_rounds) if isinstance(limit, int)]
    return {**spec, "max_rounds": min(limits)} if limits else spec
