"""Pinning: what a workflow names is put into it, or told at its place."""

from typing import Any

import pytest

from powerloop.mending.words import place
from powerloop.workflow import WorkflowSpec
from powerloop.workflow.pinning import Found, pin

LEAF = {"type": "wait", "seconds": 1}


def named(name: str, version: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "subflow", "name": name, **({"version": version} if version else {}), **more}


def workflow(root: Any, name: str = "w", **more: Any) -> dict[str, Any]:
    return {"name": name, "root": root, **more}


def sequence(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"type": "sequence", "steps": list(steps), **more}


class Shelf:
    """Stored workflows: the roots of the versions of each name."""

    def __init__(self, **roots: list[Any]) -> None:
        self._roots = roots
        self.asked: list[tuple[str, int | None]] = []

    async def find(self, name: str, version: int | None) -> Found | None:
        self.asked.append((name, version))
        roots = self._roots.get(name, [])
        number = len(roots) if version is None else version
        if not 1 <= number <= len(roots):
            return None
        return Found(number, workflow(roots[number - 1], f"{name}-{number}"))

    async def names(self) -> list[str]:
        return list(self._roots)

    async def pinned(self, root: Any, *, top: str = "") -> Any:
        """The root with the stored ones in it."""
        result = await pin(workflow(root), self.find, self.names, top=top)
        assert result.problems == ()
        WorkflowSpec.parse(result.raw)
        return result.raw["root"]

    async def problems(self, root: Any, *, top: str = "") -> dict[str, str]:
        """What is wrong, by its place."""
        result = await pin(workflow(root), self.find, self.names, top=top)
        return {place(problem.path): problem.text for problem in result.problems}


def inlined(root: Any, name: str, version: int) -> dict[str, Any]:
    """The workflow of that root as it stands where it was named."""
    return workflow(root, f"{name}-{version}", metadata={"stored": f"{name}@{version}"})


async def test_a_workflow_that_is_named_is_put_in_with_its_version():
    shelf = Shelf(greet=[LEAF, {**LEAF, "seconds": 2}])
    node = named("greet", 1, id="s", input={"who": "{{input}}"})
    assert await shelf.pinned(node) == {
        "type": "subflow",
        "id": "s",
        "input": {"who": "{{input}}"},
        "spec": inlined(LEAF, "greet", 1),
    }


async def test_the_latest_is_taken_where_no_version_is_said_and_asked_for_once():
    shelf = Shelf(greet=[LEAF, {**LEAF, "seconds": 2}])
    root = await shelf.pinned(sequence(named("greet"), named("greet")))
    assert [step["spec"]["metadata"]["stored"] for step in root["steps"]] == ["greet@2", "greet@2"]
    assert shelf.asked == [("greet", None)]


@pytest.mark.parametrize(
    "around",
    [
        lambda node: node,
        lambda node: sequence(LEAF, node),
        lambda node: {"type": "parallel", "branches": [LEAF, node]},
        lambda node: {"type": "foreach", "as": "x", "items": [1], "body": node},
        lambda node: {"type": "loop", "body": node, "until": {"ref": "input", "eq": 1}},
        lambda node: {"type": "branch", "on": "input", "cases": [{"eq": 1, "then": node}]},
        lambda node: {"type": "branch", "on": "input", "cases": [{"eq": 1, "then": LEAF}], "default": node},
        lambda node: {**LEAF, "on_error": {"fallback": node}},
        lambda node: {"type": "subflow", "spec": workflow(node)},
    ],
)
async def test_it_is_found_wherever_a_node_may_stand(around):
    assert await Shelf(greet=[LEAF]).pinned(around(named("greet"))) == around(
        {"type": "subflow", "spec": inlined(LEAF, "greet", 1)}
    )


async def test_what_looks_like_a_node_and_is_a_value_is_left_alone():
    shelf = Shelf(greet=[LEAF])
    root = sequence(
        {"type": "foreach", "as": "x", "items": [named("greet")], "body": LEAF},
        {"type": "tool", "id": "t", "agent": "a", "tool": "b", "arguments": {"root": named("greet")}},
        {"type": "human", "id": "h", "prompt": "?", "choices": [named("greet")]},
    )
    assert await shelf.pinned(root) == root
    assert shelf.asked == []


async def test_workflows_that_a_stored_one_names_are_put_in_too():
    shelf = Shelf(outer=[sequence(named("inner", 1))], inner=[LEAF, named("outer")])
    root = await shelf.pinned(named("outer"))
    step = root["spec"]["root"]["steps"][0]
    assert step["spec"] == inlined(LEAF, "inner", 1)


async def test_the_given_workflow_and_the_stored_ones_stay_as_they_are():
    root = sequence(named("greet"))
    shelf = Shelf(greet=[LEAF])
    await shelf.pinned(root)
    assert root == sequence(named("greet"))
    assert (await shelf.find("greet", None)).spec == workflow(LEAF, "greet-1")


async def test_what_is_not_stored_is_told_with_the_nearest_name():
    shelf = Shelf(greet=[LEAF], outer=[sequence(LEAF, named("gret"))])
    root = sequence(named("gret"), named("zzz"), named("greet", 7), named("outer"))
    assert await shelf.problems(root) == {
        "root.steps[0].name": "is no workflow that is stored, \"gret\"; did you mean 'greet'?",
        "root.steps[1].name": 'is no workflow that is stored, "zzz"; the stored workflows are: greet, outer',
        "root.steps[2].version": 'is no version of "greet", 7; the latest is 1',
        "root.steps[3].spec.root.steps[1].name": (
            "is no workflow that is stored, \"gret\"; did you mean 'greet'?"
        ),
    }
    assert "are: none" in (await Shelf().problems(named("x")))["root.name"]


async def test_a_workflow_that_is_in_itself_is_refused():
    shelf = Shelf(a=[named("b")], b=[sequence(LEAF, named("a"))])
    assert await shelf.problems(named("a")) == {
        "root.spec.root.spec.root.steps[1].name": "names a workflow that it is in: a@1 → b@1 → a@1"
    }
    assert await shelf.problems(named("b"), top="a@1") == {
        "root.spec.root.steps[1].name": "names a workflow that it is in: a@1 → b@1 → a@1"
    }


async def test_an_earlier_version_may_be_in_a_later_one():
    root = await Shelf(a=[LEAF, named("a", 1)]).pinned(named("a"))
    assert root["spec"]["root"]["spec"] == inlined(LEAF, "a", 1)


async def test_eight_stored_workflows_may_be_in_each_other_and_not_nine():
    chain = {f"w{number}": [named(f"w{number + 1}")] for number in range(1, 9)}
    shelf = Shelf(**chain, w9=[LEAF])
    await shelf.pinned(named("w2"))
    told = await shelf.problems(named("w1"))
    assert list(told.values()) == ["is nested deeper than 8 stored workflows, in w8@1"]


async def test_workflows_that_multiply_are_not_put_in_without_end():
    wide = {f"w{number}": [sequence(*[named(f"w{number + 1}")] * 20)] for number in range(1, 8)}
    shelf = Shelf(**wide, w8=[LEAF])
    told = await shelf.problems(named("w1"))
    assert told == {"root": "has more than 1000 nodes in the stored workflows that it names"}


@pytest.mark.parametrize(
    "node",
    [
        named("greet", spec=workflow(LEAF)),
        named("greet", spec=5),
        named("greet") | {"version": "1"},
        named("greet") | {"version": True},
        named("greet") | {"version": 0},
        named("") | {"name": 5},
        {"type": "subflow"},
        {"type": ["subflow"], "name": "greet"},
        sequence() | {"steps": 5},
        {"type": "branch", "cases": [5, {"eq": 1}]},
        {**LEAF, "on_error": {"fallbck": named("greet")}},
        5,
    ],
)
async def test_what_is_not_sound_is_left_to_the_parser(node):
    shelf = Shelf(greet=[LEAF])
    result = await pin(workflow(node), shelf.find, shelf.names)
    assert (result.raw, result.problems, shelf.asked) == (workflow(node), (), [])
    assert (await pin({"name": "w"}, shelf.find, shelf.names)).raw == {"name": "w"}


async def test_a_tree_without_end_is_not_followed():
    root: Any = named("greet")
    for _ in range(5_000):
        root = {"type": "loop", "body": root}
    result = await pin(workflow(root), (shelf := Shelf(greet=[LEAF])).find, shelf.names)
    assert (result.problems, shelf.asked) == ((), [])
