"""What a node does when its turn comes: a function of the node and of what the names have, without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from powerloop.workflow.conditions import holds
from powerloop.workflow.outcomes import SKIPPED, Outcome, Values
from powerloop.workflow.policies import MAX_FAN_OUT, InlineAgent, Isolation
from powerloop.workflow.references import NOTHING, parse_reference, resolve
from powerloop.workflow.spec import (
    AgentNode,
    BranchNode,
    ForeachNode,
    HumanNode,
    LoopNode,
    Node,
    ParallelNode,
    SequenceNode,
    SubflowNode,
    ToolNode,
    WaitNode,
)
from powerloop.workflow.templates import as_text, fill, render

#: The codes of what can go wrong in a node itself.
NO_LIST = "workflow.no_list"
TOO_MANY_ITEMS = "workflow.too_many_items"
NO_CASE = "workflow.no_case"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWork:
    """Run an agent."""

    agent: str | InlineAgent
    input: str
    output_schema: Mapping[str, Any] | None
    #: `None`: what the workflow says.
    isolation: Isolation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWork:
    """Call a tool."""

    agent: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanWork:
    """Ask a person."""

    prompt: str
    schema: Mapping[str, Any] | None
    choices: tuple[Any, ...]
    default: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitWork:
    """Wait: so long, until then, or for a signal; one of the three is given."""

    seconds: float | None
    until: datetime | None
    signal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubflowWork:
    """Run a stored workflow."""

    name: str
    #: `None`: the latest.
    version: int | None
    input: Any


#: What a leaf does.
Work: TypeAlias = AgentWork | ToolWork | HumanWork | WaitWork | SubflowWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A node that has others in it."""

    #: How many of them may run, one after the other or at the same time.
    total: int
    #: How many at the same time.
    window: int
    #: What each of them is about, for a foreach.
    items: tuple[Any, ...] = ()
    #: Which of its nodes runs, for a branch: the index of the case; the number of cases: the default.
    chosen: int = 0
    #: What the workflow inside is given, for a subflow.
    input: Any = None


#: What a beginning comes to: work to do, others to begin, or its end at once.
Begun: TypeAlias = Work | Opened | Outcome


def begin(node: Node, values: Values) -> Begun:
    """What the node does, where the names have these values."""
    if node.when is not None and not holds(node.when, values):
        return SKIPPED
    match node:
        case AgentNode():
            return _agent(node, values)
        case HumanNode():
            return _human(node, values)
        case ToolNode(agent=agent, tool=tool, arguments=arguments):
            filled = fill(arguments, values)
            assert isinstance(filled, Mapping)
            return ToolWork(agent=agent, tool=tool, arguments=filled)
        case WaitNode(seconds=seconds, until=until, signal=signal):
            return WaitWork(seconds=seconds, until=until, signal=signal)
        case _:
            return _open(node, values)


def _open(
    node: SequenceNode | ParallelNode | ForeachNode | BranchNode | LoopNode | SubflowNode, values: Values
) -> Opened | Outcome | SubflowWork:
    match node:
        case SequenceNode(steps=steps):
            return Opened(total=len(steps), window=1)
        case ParallelNode(branches=branches):
            return Opened(total=len(branches), window=node.max_concurrency or len(branches))
        case ForeachNode():
            return _foreach(node, values)
        case BranchNode():
            return _branch(node, values)
        case LoopNode(max_iterations=most):
            return Opened(total=most, window=1)
        case SubflowNode():
            return _subflow(node, fill(node.input, values))
    assert_never(node)


def _subflow(node: SubflowNode, given: Any) -> Opened | SubflowWork:  # noqa: ANN401 - any JSON
    if node.name is not None:
        return SubflowWork(name=node.name, version=node.version, input=given)
    return Opened(total=1, window=1, input=given)


def _human(node: HumanNode, values: Values) -> HumanWork:
    return HumanWork(
        prompt=render(node.prompt, values),
        schema=node.answer_schema,
        choices=tuple(node.choices),
        default=node.default,
    )


def _agent(node: AgentNode, values: Values) -> AgentWork:
    agent = node.agent
    if isinstance(agent, InlineAgent) and agent.instructions is not None:
        agent = agent.model_copy(update={"instructions": render(agent.instructions, values)})
    sources = [f"{name}:\n{as_text(values.get(name, NOTHING))}" for name in node.inputs_from]
    return AgentWork(
        agent=agent,
        input="\n\n".join([render(node.input, values), *sources]),
        output_schema=node.output_schema,
        isolation=node.isolation,
    )


def _foreach(node: ForeachNode, values: Values) -> Opened | Outcome:
    items: Any = node.items
    if node.items_from is not None:
        items = resolve(parse_reference(node.items_from), values)
    if not isinstance(items, Sequence) or isinstance(items, str):
        return Outcome.failed(NO_LIST, f"{node.items_from} is no list, but {_shown(items)}")
    if len(items) > MAX_FAN_OUT:
        return Outcome.failed(
            TOO_MANY_ITEMS, f"{node.items_from} has {len(items)} items; a foreach takes {MAX_FAN_OUT}"
        )
    if not items:
        return Outcome.done([])
    window = (node.max_concurrency or len(items)) if node.parallel else 1
    return Opened(total=len(items), window=window, items=tuple(items))


def _branch(node: BranchNode, values: Values) -> Opened | Outcome:
    value = resolve(parse_reference(node.on), values)
    chosen = next((index for index, case in enumerate(node.cases) if case.holds(value)), len(node.cases))
    if chosen == len(node.cases) and node.default is None:
        return Outcome.failed(NO_CASE, f"no case takes {node.on}, which is {_shown(value)}")
    return Opened(total=1, window=1, chosen=chosen)


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON, or NOTHING
    if value is NOTHING:
        return "not there"
    text = as_text(value) or "null"
    return text if len(text) <= 80 else f"{text[:79]}…"
