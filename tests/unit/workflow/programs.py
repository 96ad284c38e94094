"""Random workflows whose leaves add numbers, and a naive interpreter that says what each must come to."""

import json
from collections import ChainMap
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from powerloop.workflow.conditions import holds
from powerloop.workflow.references import INPUT, parse_reference, resolve
from powerloop.workflow.spec import (
    BranchNode,
    Fallback,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    SequenceNode,
    SubflowNode,
    ToolNode,
    WorkflowSpec,
)
from powerloop.workflow.templates import fill

FAILED = object()

_KINDS = ("tool", "sequence", "parallel", "foreach", "branch", "loop", "subflow")


def total(value: Any) -> float:
    """Every number in a value, added up."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return 0
    if isinstance(value, Mapping):
        return sum(map(total, value.values()))
    return sum(map(total, value)) if isinstance(value, list) else value


def add(arguments: Mapping[str, Any], attempt: int) -> float | None:
    """What a leaf does: `None`: this attempt of it fails."""
    return None if attempt <= total(arguments.get("fails", 0)) else total(arguments["numbers"])


class Programs:
    """Makes valid workflows.

    Args:
        random: Draws them.
        backoff_s: Between two attempts at a node.
        depth: How many nodes they have in each other at most.
    """

    def __init__(self, random: Random, *, backoff_s: float = 1.0, depth: int = 4) -> None:
        self._random = random
        self._depth = depth
        self._backoff_s = backoff_s
        self._count = 0

    def make(self) -> dict[str, Any]:
        return {
            "name": "program",
            "input": self._random.randint(1, 9),
            "root": self._node(self._depth, [INPUT]),
        }

    def _node(self, depth: int, known: list[str]) -> dict[str, Any]:
        kinds = (
            ["tool"]
            if depth == 0
            else ["tool", "sequence", "parallel", "foreach", "branch", "loop", "subflow"]
        )
        kind = self._random.choice(kinds)
        node = getattr(self, f"_{kind}")(depth, known)
        self._count += 1
        node |= {"type": kind, "id": f"n{self._count}"}
        if self._random.random() < 0.15:
            node["when"] = self._condition(known)
        if self._random.random() < 0.2:
            node["retry"] = {"attempts": self._random.randint(2, 3), "backoff_s": self._backoff_s}
        if self._random.random() < 0.3:
            fallback = {"fallback": self._node(max(depth - 1, 0), known)}
            node["on_error"] = self._random.choice(["continue", fallback])
        return node

    def _condition(self, known: list[str]) -> dict[str, Any]:
        test = self._random.choice([{"gt": 20}, {"exists": True}, {"lt": 20}, {"in": [1, 2, 3, 4, 5]}])
        return {"ref": self._random.choice(known), **test}

    def _tool(self, depth: int, known: list[str]) -> dict[str, Any]:
        some = [f"{{{{{name}}}}}" for name in self._random.sample(known, min(2, len(known)))]
        numbers = [self._random.randint(1, 9), *some]
        fails = self._random.choice([0, 0, 0, 1, 2, 9])
        return {"agent": "adder", "tool": "add", "arguments": {"numbers": numbers, "fails": fails}}

    def _sequence(self, depth: int, known: list[str]) -> dict[str, Any]:
        steps, here = [], list(known)
        for _ in range(self._random.randint(1, 3)):
            steps.append(self._node(depth - 1, here))
            here.append(steps[-1]["id"])
        return {"steps": steps}

    def _parallel(self, depth: int, known: list[str]) -> dict[str, Any]:
        branches = [self._node(depth - 1, known) for _ in range(self._random.randint(1, 3))]
        window = {"max_concurrency": self._random.randint(1, 3)} if self._random.random() < 0.5 else {}
        return {
            "branches": branches,
            "join": self._random.choice(["all", {"best_effort_s": 900.0}]),
            **window,
        }

    def _foreach(self, depth: int, known: list[str]) -> dict[str, Any]:
        self._count += 1
        name = f"i{self._count}"
        items = [self._random.randint(1, 9) for _ in range(self._random.randint(0, 4))]
        window = {"max_concurrency": self._random.randint(1, 3)} if self._random.random() < 0.5 else {}
        return {
            "as": name,
            "items": items,
            "body": self._node(depth - 1, [*known, name]),
            "parallel": self._random.random() < 0.7,
            **window,
        }

    def _branch(self, depth: int, known: list[str]) -> dict[str, Any]:
        cases = [
            {**test, "then": self._node(depth - 1, known)} for test in ({"gt": 30}, {"lt": 10}, {"eq": None})
        ]
        default = {"default": self._node(depth - 1, known)} if self._random.random() < 0.8 else {}
        return {"on": self._random.choice(known), "cases": cases, **default}

    def _loop(self, depth: int, known: list[str]) -> dict[str, Any]:
        body = self._node(depth - 1, known)
        until = {"ref": body["id"], "gt": self._random.randint(1, 40)}
        return {
            "body": body,
            "until": until,
            "max_iterations": self._random.randint(1, 3),
            "on_exhausted": self._random.choice(["fail", "continue"]),
        }

    def _subflow(self, depth: int, known: list[str]) -> dict[str, Any]:
        given = f"{{{{{self._random.choice(known)}}}}}"
        return {"spec": {"name": "inner", "root": self._node(depth - 1, [INPUT])}, "input": given}


def interpret(spec: WorkflowSpec) -> Any:
    """What the program comes to, told by walking it once; `FAILED` where it fails."""
    return _value(spec.root, ChainMap({INPUT: spec.input}))


def _value(node: Node, names: ChainMap[str, Any]) -> Any:
    if node.when is not None and not holds(node.when, names):
        return _known(node, names, None)
    attempts = node.retry.attempts if node.retry else 1
    value = FAILED
    for attempt in range(1, attempts + 1):
        value = _attempt(node, names, attempt)
        if value is not FAILED:
            break
    if value is FAILED and isinstance(node.on_error, Fallback):
        value = _value(node.on_error.fallback, names)
    if value is FAILED and node.on_error == "continue":
        value = None
    return _known(node, names, value)


def _known(node: Node, names: ChainMap[str, Any], value: Any) -> Any:
    if node.id and value is not FAILED:
        names[node.id] = value
    return value


def _attempt(node: Node, names: ChainMap[str, Any], attempt: int) -> Any:
    match node:
        case ToolNode():
            result = add(fill(node.arguments, names), attempt)
            return FAILED if result is None else result
        case ParallelNode():
            values = {branch.id: _value(branch, names) for branch in node.branches}
            return _joined(node, values, list(values.values()))
        case ForeachNode():
            found = [_value(node.body, names.new_child({node.as_: item})) for item in node.items or ()]
            return _joined(node, found, found)
        case _:
            return _one_by_one(node, names)


def _one_by_one(node: Node, names: ChainMap[str, Any]) -> Any:
    match node:
        case SequenceNode():
            values = (_value(step, names) for step in node.steps)
            return _last_before_failure(values)
        case BranchNode():
            value = resolve(parse_reference(node.on), names)
            chosen = next((case.then for case in node.cases if case.holds(value)), node.default)
            return FAILED if chosen is None else _value(chosen, names)
        case LoopNode():
            return _loop(node, names)
        case SubflowNode(spec=WorkflowSpec(root=root)):
            return _value(root, ChainMap({INPUT: fill(node.input, names)}))
    raise AssertionError(node)


def _last_before_failure(values: Iterator[Any]) -> Any:
    last = None
    for last in values:
        if last is FAILED:
            break
    return last


def _joined(node: Any, value: Any, values: list[Any]) -> Any:
    if FAILED not in values:
        return value
    if node.join == "all":
        return FAILED
    if isinstance(value, dict):
        return {name: None if one is FAILED else one for name, one in value.items()}
    return [None if one is FAILED else one for one in value]


def _loop(node: LoopNode, names: ChainMap[str, Any]) -> Any:
    value = None
    for _ in range(node.max_iterations):
        inner = names.new_child()
        if (value := _value(node.body, inner)) is FAILED:
            return FAILED
        if holds(node.until, inner):
            return value
    return value if node.on_exhausted == "continue" else FAILED


def written(program: Mapping[str, Any]) -> str:
    """The program, to be shown where it fails."""
    return json.dumps(program, indent=1)
