"""What a workflow must keep beyond its shape: names, sizes, schemas, agents and tools that are known."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from powerloop.kernel.agents import Agent
from powerloop.mending.valid_schema import schema_problems
from powerloop.mending.words import Problem, did_you_mean, listed
from powerloop.workflow.outline import Outline
from powerloop.workflow.references import INPUT

MAX_NODES: Final = 1_000
#: How many leaves a run may come to, as far as the spec tells.
MAX_LEAVES: Final = 10_000

#: The nodes that do something themselves.
LEAVES: Final = frozenset({"agent", "wait", "human", "tool"})

#: The tools of each agent that is known, by its name; `None`: its tools are not known.
KnownAgents = Mapping[str, Collection[str] | None]


def tools_of(agents: Iterable[Agent]) -> KnownAgents:
    """What these agents are, to a check of workflows that name them."""
    return {agent.name: {tool.spec.name for tool in agent.tools} for agent in agents}


def name_problems(root: Outline) -> Iterator[Problem]:
    """Ids that are not the only ones of their name, and names of items that hide others; each workflow that
    is inside has names of its own."""
    for node in root.walk():
        if node is root or node.slot == "root":
            yield from _names_of_one_workflow(node)


def _names_of_one_workflow(root: Outline) -> Iterator[Problem]:
    nodes = list(_of_one_workflow(root))
    counts = Counter(node.id for node in nodes if node.id)
    first: dict[str, Outline] = {}
    for node in nodes:
        if node.id == INPUT:
            yield Problem((*node.path, "id"), f"should not be {INPUT!r}: that is what the run is given")
        if node.id and counts[node.id] > 1 and first.setdefault(node.id, node) is not node:
            yield Problem((*node.path, "id"), f"should be an id of its own: {node.id!r} is there before")
    for node in nodes:
        name = node.raw.get("as") if node.kind == "foreach" else None
        above = [one for one in node.ancestors() if one is not node and len(one.path) >= len(root.path)]
        outer = {one.raw.get("as") for one in above if one.kind == "foreach"}
        if isinstance(name, str) and (name == INPUT or name in counts or name in outer):
            yield Problem(
                (*node.path, "as"), f"should be a name of its own: {name!r} means something else here"
            )


def _of_one_workflow(root: Outline) -> Iterator[Outline]:
    """The nodes that share their names: not those of workflows inside."""
    yield root
    for child in root.children:
        if child.slot != "root":
            yield from _of_one_workflow(child)


def size_problems(root: Outline) -> Iterator[Problem]:
    """What makes the workflow larger than it may be, or can never be fulfilled."""
    nodes = list(root.walk())
    if len(nodes) > MAX_NODES:
        yield Problem(root.path, f"has {len(nodes)} nodes; it may have {MAX_NODES}")
    leaves = _leaves(root)
    if leaves > MAX_LEAVES:
        yield Problem(root.path, f"comes to {leaves} leaves; it may have {MAX_LEAVES}")
    for node in nodes:
        yield from _join_problems(node)
        yield from _key_problems(node)


def schema_faults(root: Outline) -> Iterator[Problem]:
    """Schemas that are none."""
    for node in root.walk():
        for key in ("output_schema", "answer_schema"):
            schema = node.raw.get(key)
            if isinstance(schema, Mapping):
                for problem in schema_problems(schema):
                    yield Problem((*node.path, key, *problem.path), problem.text)


def agent_problems(root: Outline, known: KnownAgents) -> Iterator[Problem]:
    """Agents and tools that nobody knows."""
    for node in root.walk():
        agent = node.raw.get("agent")
        if isinstance(agent, Mapping):
            yield from _agent(node, ("agent", "base"), agent.get("base"), known)
            tools = agent.get("tools")
            base: Any = agent.get("base")
            for index, tool in enumerate(tools if isinstance(tools, list | tuple) else ()):
                yield from _tool(node, ("agent", "tools", index), base, tool, known)
        elif node.kind in ("agent", "tool"):
            yield from _agent(node, ("agent",), agent, known)
            if node.kind == "tool":
                yield from _tool(node, ("tool",), agent, node.raw.get("tool"), known)


def _agent(node: Outline, path: tuple[str | int, ...], name: object, known: KnownAgents) -> Iterator[Problem]:
    if isinstance(name, str) and name and name not in known:
        nearest = did_you_mean(name, known) or f"the agents are: {listed(sorted(known)) or 'none'}"
        yield Problem((*node.path, *path), f"is no agent that is known, {name!r}; {nearest}")


def _tool(
    node: Outline, path: tuple[str | int, ...], agent: object, name: object, known: KnownAgents
) -> Iterator[Problem]:
    tools = known.get(agent) if isinstance(agent, str) else None
    if tools is not None and isinstance(name, str) and name not in tools:
        nearest = did_you_mean(name, tools) or f"it has: {listed(sorted(tools)) or 'none'}"
        yield Problem((*node.path, *path), f"is no tool of {agent!r}, {name!r}; {nearest}")


def _key_problems(node: Outline) -> Iterator[Problem]:
    """Branches whose results would stand under one key: one without an id goes by its place."""
    if node.kind != "parallel":
        return
    branches = [child for child in node.children if child.slot == "branches"]
    unnamed = {f"branch{index}" for index, branch in enumerate(branches) if not branch.id}
    for branch in branches:
        if branch.id in unnamed:
            yield Problem(
                (*branch.path, "id"), f"should be another: a branch without an id is called {branch.id!r}"
            )


def _join_problems(node: Outline) -> Iterator[Problem]:
    join: Any = node.raw.get("join")
    quorum = join.get("quorum") if isinstance(join, Mapping) else None
    key = {"parallel": "branches", "foreach": "items"}.get(node.kind)
    members = node.raw.get(key) if key else None
    if isinstance(quorum, int) and isinstance(members, list | tuple) and quorum > len(members):
        yield Problem(
            (*node.path, "join", "quorum"), f"should be at most {len(members)}: there are no more of them"
        )


def _leaves(node: Outline) -> int:
    """How many leaves the node comes to; a foreach whose items are not known counts once."""
    below = [_leaves(child) for child in node.children if child.slot != "fallback"]
    items, times = node.raw.get("items"), node.raw.get("max_iterations", 3)
    match node.kind:
        case "foreach":
            return sum(below) * (len(items) if isinstance(items, list | tuple) else 1)
        case "loop":
            return sum(below) * (times if isinstance(times, int) else 1)
        case "branch":
            return max(below, default=0)
        case _:
            return sum(below) + (node.kind in LEAVES)
