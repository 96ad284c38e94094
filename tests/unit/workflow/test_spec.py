"""Workflow specs: every problem at once, each with its place and in words that help to mend it."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from powerloop.kernel.errors import WorkflowInvalid
from powerloop.workflow import AUTHORING_GUIDE, WorkflowSpec, workflow_schema

EXAMPLE = re.findall(r"^```json\n(.*?)^```", AUTHORING_GUIDE, re.MULTILINE | re.DOTALL)[0]
KNOWN = {"planner": {"search"}, "writer": set()}


def agent(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "agent", "id": name, "agent": "planner", **more}


def sequence(*steps: Any, **more: Any) -> dict[str, Any]:
    return {"type": "sequence", "steps": list(steps), **more}


def parallel(*branches: Any, **more: Any) -> dict[str, Any]:
    return {"type": "parallel", "branches": list(branches), **more}


def foreach(body: Any, **more: Any) -> dict[str, Any]:
    return {"type": "foreach", "as": "item", "items": [1, 2], "body": body, **more}


def problems(root: Any, known: Any = None, **more: Any) -> dict[str, str]:
    """What is wrong, by its place; nothing where it is valid."""
    try:
        WorkflowSpec.parse({"name": "w", "root": root, **more}, agents=known)
    except WorkflowInvalid as invalid:
        return dict(one.split(": ", 1) for one in invalid.problems)
    return {}


def test_a_spec_with_twelve_faults_yields_twelve_problems_with_twelve_places():
    root = sequence(
        agent("plan", input="{{topic}}", inputs_from=["later"]),
        agent("plan", agent="planer"),
        {"type": "paralel", "branches": []},
        parallel(agent("a"), agent("b", inputs_from=["a"]), max_concurrency=0, join={"quorum": 3}),
        foreach(agent("one", input="{{item}}"), id="each"),
        {"type": "branch", "on": "one", "cases": [{"eq": True, "then": {"type": "wait", "seconds": "5"}}]},
        agent("later", output_schema={"type": "objct"}, when={"ref": "each", "equals": 1}),
    )
    found = problems(root, KNOWN)
    assert set(found) == {
        "root.steps[0].input",
        "root.steps[0].inputs_from[0]",
        "root.steps[1].id",
        "root.steps[1].agent",
        "root.steps[2].type",
        "root.steps[3].max_concurrency",
        "root.steps[3].join.quorum",
        "root.steps[3].branches[1].inputs_from[0]",
        "root.steps[5].on",
        "root.steps[5].cases[0].then.seconds",
        "root.steps[6].output_schema.type",
        "root.steps[6].when.equals",
    }
    assert len(found) == 12
    assert "did you mean 'planner'?" in found["root.steps[1].agent"]
    assert "did you mean 'parallel'?" in found["root.steps[2].type"]


@pytest.mark.parametrize(
    ("root", "place", "why"),
    [
        (sequence(agent("a", inputs_from=["b"]), agent("b")), "steps[0].inputs_from[0]", "runs later"),
        (parallel(agent("a"), agent("b", input="{{a}}")), "branches[1].input", "runs at the same time"),
        (
            {
                "type": "branch",
                "on": "input",
                "cases": [{"eq": 1, "then": agent("a")}, {"eq": 2, "then": agent("b", input="{{a}}")}],
            },
            "cases[1].then.input",
            "is in another case",
        ),
        (
            sequence(foreach(agent("one"), id="all"), agent("b", input="{{one}}")),
            "steps[1].input",
            "is in the body of a foreach, which has many of it; refer to 'all' instead",
        ),
        (
            sequence(
                {"type": "loop", "body": agent("try"), "until": {"ref": "try", "exists": True}},
                agent("b", input="{{try}}"),
            ),
            "steps[1].input",
            "refer to the loop, by an id that you give it, instead",
        ),
        (
            sequence(
                {"type": "branch", "id": "way", "on": "input", "cases": [{"eq": 1, "then": agent("a")}]},
                agent("b", input="{{a}}"),
            ),
            "steps[1].input",
            "is in a case of a branch, and may not have run; refer to 'way' instead",
        ),
        (agent("a", input="{{a}}"), "input", "is the node itself"),
        (
            sequence(agent("a", input="{{all}}"), id="all"),
            "steps[0].input",
            "is the node that this one is in",
        ),
        (
            sequence(parallel(agent("a"), agent("b"), join="any"), agent("c", input="{{a}}")),
            "steps[1].input",
            "may not have run to its end by then",
        ),
        (
            sequence(sequence(agent("a"), when={"ref": "input", "exists": True}), agent("b", input="{{a}}")),
            "steps[1].input",
            "may not have run to its end by then",
        ),
        (
            agent("a", on_error={"fallback": agent("b", input="{{a}}")}),
            "on_error.fallback.input",
            "is the node that this one is in",
        ),
        (
            sequence(agent("a", on_error={"fallback": agent("b")}), agent("c", input="{{b}}")),
            "steps[1].input",
            "may not have run",
        ),
        (foreach(agent("a"), items=None, items_from="item"), "items_from", "which there is not"),
        (agent("a", input="{{topc}}"), "input", "here there are: input"),
    ],
)
def test_a_reference_to_what_has_not_run_is_told_with_the_reason(root, place, why):
    found = problems(root)
    assert list(found) == [f"root.{place}"]
    assert why in found[f"root.{place}"]


@pytest.mark.parametrize(
    "root",
    [
        sequence(agent("a"), agent("b", input="{{a}} {{input.x}}", when={"ref": "a.ok", "eq": True})),
        sequence(
            parallel(agent("a"), sequence(agent("b"), agent("c"))), agent("d", inputs_from=["a", "b", "c"])
        ),
        sequence(
            foreach(sequence(agent("a", input="{{item.x}}"), agent("b", input="{{a}}")), id="all"),
            agent("c", input="{{all[0]}}"),
        ),
        foreach(foreach(agent("a", input="{{item}} {{inner}}"), **{"as": "inner"})),
        {"type": "loop", "body": sequence(agent("a"), agent("b")), "until": {"ref": "b.ok", "eq": True}},
        sequence(agent("a", on_error="continue", retry={"attempts": 2}), agent("b", input="{{a}}")),
        sequence(agent("a"), agent("b", on_error={"fallback": agent("c", input="{{a}}")})),
        {"type": "subflow", "spec": {"name": "inner", "root": agent("a", input="{{input}}")}, "id": "s"},
        {"type": "subflow", "name": "stored", "version": 2, "input": {"q": "{{input}}"}},
        {"type": "wait", "until": "2030-01-01T00:00:00+01:00"},
        {"type": "human", "id": "ok", "prompt": "Send {{input}}?", "choices": ["yes", "no"], "timeout_s": 60},
        {"type": "tool", "id": "t", "agent": "planner", "tool": "search", "arguments": {"q": ["{{input}}"]}},
        agent("v", agent={"base": "planner", "instructions": "Be {{input}}.", "tools": ["search"]}),
    ],
)
def test_what_is_sound_is_taken_and_written_as_it_was_read(root):
    given = {"name": "w", "root": root}
    spec = WorkflowSpec.parse(json.dumps(given), agents=KNOWN)
    assert WorkflowSpec.parse(spec.to_json()) == spec
    Draft202012Validator(workflow_schema()).validate(given)


@pytest.mark.parametrize(
    ("root", "place", "why"),
    [
        ("agent", "root", "should be a node"),
        ({"id": "x"}, "root.type", "is missing; the types are: agent, sequence"),
        (sequence(), "root.steps", "should have at least 1 item"),
        (sequence(5), "root.steps[0]", "should be a node"),
        ({"type": "wait", "seconds": 1, "signal": "go"}, "root", "exactly one of seconds, until and signal"),
        ({"type": "wait", "seconds": -1}, "root.seconds", "should be greater than 0"),
        ({"type": "wait", "until": "2030-01-01T00:00:00"}, "root.until", "timezone"),
        (foreach(agent("a"), items_from="input"), "root", "either items or items_from"),
        (foreach(agent("a"), **{"as": "input"}), "root.as", "means something else here"),
        (foreach(agent("item")), "root.as", "means something else here"),
        (agent("input"), "root.id", "should not be 'input'"),
        (agent("a b"), "root.id", "should match"),
        (agent("a", retry={"attempts": 99}), "root.retry.attempts", "less than or equal to 10"),
        (agent("a", on_error="ignore"), "root.on_error", "'halt' or 'continue'"),
        (agent("a", on_error={"fallbck": agent("b")}), "root.on_error.fallbck", "did you mean 'fallback'?"),
        (agent("a", join="all"), "root.join", "is not known here"),
        (agent("a", input="{{}}"), "root.input", "has '{{}}' in it"),
        (agent("a", agent="nobody"), "root.agent", "the agents are: planner, writer"),
        (agent("a", agent={"base": "planner", "tools": ["serch"]}), "root.agent.tools[0]", "'search'"),
        ({"type": "tool", "id": "t", "agent": "planner", "tool": "find"}, "root.tool", "it has: search"),
        ({"type": "subflow", "spec": {"name": "x", "root": {"type": "nap"}}}, "root.spec.root.type", "nap"),
        ({"type": "subflow"}, "root", "either name or spec"),
        (foreach(agent("a"), items=list(range(5000))), "root.items", "at most 4096 items"),
        (
            foreach(foreach(agent("a"), items=list(range(200)), **{"as": "x"}), items=list(range(60))),
            "root",
            "comes to 12000 leaves",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(root, place, why):
    found = problems(root, KNOWN)
    assert why in found.get(place, ""), found


def test_one_fault_hides_no_other():
    root = sequence(
        agent("a", colour="red"), sequence(agent("b", shape="round"), agent("c", size=1), taste="sweet")
    )
    assert len(problems(root)) == 4


def test_a_tree_without_end_is_refused_and_not_followed():
    root: dict[str, Any] = agent("leaf")
    for _ in range(200):
        root = sequence(root)
    assert "is nested deeper than 32 nodes" in next(iter(problems(root).values()))


@pytest.mark.parametrize("source", ["", "[]", "nonsense", '"text"', "[" * 100_000])
def test_what_is_no_object_is_refused_in_words(source):
    with pytest.raises(WorkflowInvalid) as refused:
        WorkflowSpec.parse(source)
    assert len(refused.value.problems) == 1


def test_the_example_that_models_are_shown_is_valid():
    spec = WorkflowSpec.parse(EXAMPLE)
    assert spec.name == "research"
    Draft202012Validator(workflow_schema()).validate(json.loads(EXAMPLE))


def test_the_guide_tells_every_type_and_key():
    schema = workflow_schema()
    for name, model in schema["$defs"].items():
        if name.endswith("Node"):
            for key in model["properties"]:
                assert f"`{key}`" in AUTHORING_GUIDE, (name, key)


def test_a_branch_without_an_id_keeps_the_name_of_its_place():
    branches = [{"type": "agent", "id": "branch1", "agent": "a"}, {"type": "wait", "seconds": 1.0}]
    with pytest.raises(WorkflowInvalid) as caught:
        WorkflowSpec.parse({"name": "w", "root": {"type": "parallel", "branches": branches}})
    (problem,) = caught.value.problems
    assert problem.startswith("root.branches[0].id: should be another")
