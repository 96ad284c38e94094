"""The machine: whatever order leaves end in, a run comes to what its spec says."""

from random import Random
from typing import Any

import pytest

from powerloop.workflow import WorkflowSpec
from powerloop.workflow.machine import Machine
from powerloop.workflow.outcomes import Ended, Outcome
from tests.unit.workflow.programs import FAILED, Programs, add, interpret, written

PROGRAMS = 3_000


@pytest.mark.parametrize("seed", range(10))
def test_random_programs_come_to_what_a_naive_interpreter_says(seed):
    failures = 0
    for number in range(PROGRAMS // 10):
        random = Random(f"{seed}/{number}")
        program = Programs(random).make()
        spec = WorkflowSpec.parse(program)
        expected, outcome = interpret(spec), run(spec, random)
        if expected is FAILED:
            failures += 1
            assert outcome.status is Ended.FAILED, written(program)
        else:
            assert (outcome.is_well, outcome.value) == (True, expected), written(program)
    assert 0 < failures < PROGRAMS // 20


def run(spec: WorkflowSpec, random: Random) -> Outcome:
    """Run it, its leaves ending in any order; some of them are told of twice."""
    machine = Machine(spec)
    steps = 0
    while machine.outcome is None:
        assert machine.ready, "it stands still"
        path = random.choice(sorted(machine.ready))
        work: Any = machine.ready[path]
        instance = next(one for one in machine.root.walk() if one.path == path and one.outcome is None)
        result = add(work.arguments, instance.attempt)
        outcome = Outcome.failed("add.failed", "no") if result is None else Outcome.done(result)
        machine.leaf_ended(path, outcome)
        steps += 1
        assert steps < 10_000
    assert machine.ready == {}
    return machine.outcome


def leaf(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "agent", "id": name, "agent": "a", **more}


def started(root: dict[str, Any], **more: Any) -> Machine:
    return Machine(WorkflowSpec.parse({"name": "w", "root": root, **more}))


def done(machine: Machine, *paths: str, value: Any = "ok") -> None:
    for path in paths:
        machine.leaf_ended(f"root{path}", Outcome.done(value))


def failed(machine: Machine, path: str, code: str = "model.rejected") -> None:
    machine.leaf_ended(f"root{path}", Outcome.failed(code, "no"))


def test_steps_run_one_after_the_other():
    machine = started(
        {"type": "sequence", "steps": [leaf("a"), leaf("b", input="{{a}} and {{input}}")]}, input="x"
    )
    assert list(machine.ready) == ["root.steps[0]"]
    done(machine, ".steps[0]", value={"n": 1})
    assert machine.ready["root.steps[1]"].input == '{"n": 1} and x'
    done(machine, ".steps[1]", value="end")
    assert machine.outcome == Outcome.done("end")


def test_a_window_lets_so_many_run_at_a_time():
    machine = started(
        {"type": "foreach", "as": "i", "items": [1, 2, 3, 4], "max_concurrency": 2, "body": leaf("a")}
    )
    assert list(machine.ready) == ["root.body#0", "root.body#1"]
    done(machine, ".body#1")
    assert list(machine.ready) == ["root.body#0", "root.body#2"]
    done(machine, ".body#0", ".body#2", ".body#3")
    assert machine.outcome == Outcome.done(["ok"] * 4)


def test_the_order_of_results_is_that_of_the_items():
    machine = started({"type": "foreach", "as": "i", "items": ["x", "y"], "body": leaf("a", input="{{i}}")})
    done(machine, ".body#1", value=machine.ready["root.body#1"].input)
    done(machine, ".body#0", value=machine.ready["root.body#0"].input)
    assert machine.outcome.value == ["x", "y"]


def test_the_first_failure_ends_a_fan_out_and_cancels_the_others():
    machine = started({"type": "parallel", "branches": [leaf("a"), leaf("b"), leaf("c")]})
    failed(machine, ".branches[1]")
    assert (machine.outcome.status, machine.outcome.code) == (Ended.FAILED, "model.rejected")
    assert machine.ready == {}
    done(machine, ".branches[0]")
    assert machine.outcome.status is Ended.FAILED


def test_a_failure_that_is_tolerated_leaves_a_gap():
    body = leaf("a", on_error="continue")
    machine = started({"type": "foreach", "as": "i", "items": [1, 2, 3], "body": body})
    failed(machine, ".body#1")
    done(machine, ".body#0", ".body#2")
    assert machine.outcome == Outcome.done(["ok", None, "ok"])


def test_any_takes_the_first_that_succeeds():
    machine = started({"type": "parallel", "join": "any", "branches": [leaf("a"), leaf("b"), leaf("c")]})
    failed(machine, ".branches[0]")
    done(machine, ".branches[2]")
    assert machine.outcome == Outcome.done({"a": None, "b": None, "c": "ok"})
    assert machine.ready == {}


def test_any_fails_when_all_have():
    machine = started({"type": "parallel", "join": "any", "branches": [leaf("a"), leaf("b")]})
    failed(machine, ".branches[0]")
    assert machine.outcome is None
    failed(machine, ".branches[1]")
    assert (machine.outcome.status, machine.outcome.code) == (Ended.FAILED, "workflow.no_quorum")


def test_a_tolerated_failure_is_no_success_for_any():
    branches = [leaf("a", on_error="continue"), leaf("b")]
    machine = started({"type": "parallel", "join": "any", "branches": branches})
    failed(machine, ".branches[0]")
    assert machine.outcome is None


def test_a_quorum_is_enough_and_its_losers_may_finish():
    branches = [leaf("a"), leaf("b"), leaf("c")]
    machine = started({"type": "parallel", "join": {"quorum": 2}, "losers": "finish", "branches": branches})
    done(machine, ".branches[0]", ".branches[1]")
    assert machine.outcome.value == {"a": "ok", "b": "ok", "c": None}
    assert list(machine.ready) == ["root.branches[2]"]
    done(machine, ".branches[2]", value="late")
    assert machine.outcome.value["c"] is None
    assert machine.root.children[2].outcome.value == "late"


def test_a_quorum_that_cannot_be_had_any_more_fails_at_once():
    branches = [leaf("a"), leaf("b"), leaf("c")]
    machine = started({"type": "parallel", "join": {"quorum": 2}, "branches": branches})
    failed(machine, ".branches[0]")
    assert machine.outcome is None
    failed(machine, ".branches[1]")
    assert machine.outcome.code == "workflow.no_quorum"


def test_best_effort_ends_with_what_is_there_when_its_time_is_over():
    machine = started(
        {"type": "parallel", "id": "p", "join": {"best_effort_s": 5.0}, "branches": [leaf("a"), leaf("b")]}
    )
    failed(machine, ".branches[0]")
    assert machine.outcome is None
    machine.end("root", Outcome.done({"a": None, "b": None}))
    assert machine.outcome.status is Ended.DONE
    assert machine.ready == {}


def test_a_node_is_tried_again_for_the_errors_that_it_names():
    retry = {"attempts": 3, "on": ["model.unavailable"]}
    machine = started(leaf("a", retry=retry))
    failed(machine, "", "model.unavailable")
    assert (list(machine.ready), machine.root.attempt) == (["root"], 2)
    failed(machine, "", "model.rejected")
    assert machine.outcome.code == "model.rejected"


def test_a_container_is_tried_again_as_a_whole():
    machine = started({"type": "sequence", "retry": {"attempts": 2}, "steps": [leaf("a"), leaf("b")]})
    done(machine, ".steps[0]")
    failed(machine, ".steps[1]")
    assert list(machine.ready) == ["root.steps[0]"]
    done(machine, ".steps[0]", ".steps[1]", value="second")
    assert machine.outcome.value == "second"


def test_a_fallback_takes_the_place_of_what_failed_after_its_attempts():
    other = leaf("b", input="instead")
    machine = started(
        {
            "type": "sequence",
            "steps": [
                leaf("a", retry={"attempts": 2}, on_error={"fallback": other}),
                leaf("c", input="{{a}}"),
            ],
        }
    )
    failed(machine, ".steps[0]")
    failed(machine, ".steps[0]")
    assert list(machine.ready) == ["root.steps[0].on_error.fallback"]
    done(machine, ".steps[0].on_error.fallback", value="other")
    assert machine.ready["root.steps[1]"].input == "other"


def test_a_fallback_that_fails_fails_its_node():
    machine = started(leaf("a", on_error={"fallback": leaf("b")}))
    failed(machine, "")
    failed(machine, ".on_error.fallback", "tool.error")
    assert (machine.outcome.status, machine.outcome.code) == (Ended.FAILED, "tool.error")


def test_a_loop_goes_on_until_its_condition_holds():
    until = {"ref": "a.ok", "eq": True}
    machine = started({"type": "loop", "body": leaf("a"), "until": until, "max_iterations": 3})
    done(machine, ".body#0", value={"ok": False})
    done(machine, ".body#1", value={"ok": True})
    assert machine.outcome == Outcome.done({"ok": True})


@pytest.mark.parametrize(("then", "status"), [("fail", Ended.FAILED), ("continue", Ended.DONE)])
def test_a_loop_that_is_exhausted_says_what_that_means(then, status):
    until = {"ref": "a", "eq": "never"}
    machine = started(
        {"type": "loop", "body": leaf("a"), "until": until, "max_iterations": 2, "on_exhausted": then}
    )
    done(machine, ".body#0", ".body#1")
    assert machine.outcome.status is status


def test_a_branch_runs_the_first_case_that_takes_the_value():
    cases = [
        {"eq": "true", "then": leaf("a")},
        {"eq": True, "then": leaf("b")},
        {"exists": True, "then": leaf("c")},
    ]
    machine = started({"type": "branch", "on": "input.yes", "cases": cases}, input={"yes": True})
    assert machine.ready["root.case"] is not None
    assert machine.root.children[0].node.id == "b"


def test_a_branch_without_a_case_fails_and_says_for_what():
    machine = started({"type": "branch", "on": "input", "cases": [{"eq": 1, "then": leaf("a")}]}, input=2)
    assert (machine.outcome.code, "which is 2" in machine.outcome.message) == ("workflow.no_case", True)


def test_what_is_skipped_is_null_and_does_no_harm():
    steps = [leaf("a", when={"ref": "input", "eq": "other"}), leaf("b", input="[{{a}}]")]
    machine = started({"type": "sequence", "steps": steps}, input="this")
    assert machine.ready["root.steps[1]"].input == "[]"


def test_a_foreach_over_what_is_no_list_fails_and_over_none_is_done():
    for items, code in [("text", "workflow.no_list"), (None, "workflow.no_list"), ([], "")]:
        machine = started(
            {"type": "foreach", "as": "i", "items_from": "input.x", "body": leaf("a")}, input={"x": items}
        )
        assert machine.outcome.code == code


def test_a_subflow_sees_its_input_and_nothing_else():
    inner = {"name": "inner", "root": leaf("b", input="{{input.q}}")}
    steps = [leaf("a"), {"type": "subflow", "id": "s", "spec": inner, "input": {"q": "{{a}}"}}]
    machine = started({"type": "sequence", "steps": steps})
    done(machine, ".steps[0]", value="cats")
    assert machine.ready["root.steps[1].spec.root"].input == "cats"


def test_a_node_whose_time_is_over_takes_all_below_it_with_it():
    machine = started(
        {
            "type": "sequence",
            "steps": [{"type": "parallel", "on_error": "continue", "branches": [leaf("a")]}, leaf("b")],
        }
    )
    machine.end("root.steps[0]", Outcome.failed("timeout", "its time is over"))
    assert list(machine.ready) == ["root.steps[1]"]


def test_thousands_that_end_at_once_need_no_deep_stack():
    never = {"ref": "input", "eq": "never"}
    body = leaf("a", when=never)
    machine = started({"type": "foreach", "as": "i", "items": [0] * 4096, "parallel": False, "body": body})
    assert machine.outcome == Outcome.done([None] * 4096)


def test_what_else_the_agent_is_given_follows_its_input():
    steps = [leaf("a"), leaf("b", input="Sum up.", inputs_from=["a"])]
    machine = started({"type": "sequence", "steps": steps})
    done(machine, ".steps[0]", value=["x"])
    assert machine.ready["root.steps[1]"].input == 'Sum up.\n\na:\n["x"]'
