"""Dry runs: what would run, with stub answers in place of models, tools and people."""

from random import Random

import pytest
from jsonschema import Draft202012Validator

from powerloop.workflow import WorkflowSpec, dry_run
from powerloop.workflow.outcomes import Ended
from powerloop.workflow.stubs import stub_of
from tests.unit.workflow.programs import Programs
from tests.unit.workflow.test_spec import EXAMPLE


def test_the_example_is_walked_with_as_many_researchers_as_there_are_topics():
    run = dry_run(WorkflowSpec.parse(EXAMPLE), "cats")
    told = [(step.depth, step.type, step.id, step.does) for step in run.steps]
    assert told[:5] == [
        (0, "sequence", None, ""),
        (1, "agent", "plan", "planner ← Plan research on cats."),
        (1, "foreach", "findings", ""),
        (2, "agent", "finding", "researcher ← Research …."),
        (2, "agent", "finding", "researcher ← Research …."),
    ]
    assert told[5][3].startswith('writer ← Write a report on cats from: ["[answer of finding]"')
    assert (run.leaves, run.outcome.status) == (4, Ended.DONE)


def test_a_failure_is_shown_where_it_happens():
    root = {"type": "foreach", "as": "i", "items_from": "input.none", "body": {"type": "wait", "seconds": 1}}
    run = dry_run(WorkflowSpec.parse({"name": "w", "root": root}))
    assert (run.outcome.status, run.steps[0].outcome.code) == (Ended.FAILED, "workflow.no_list")


def test_every_kind_of_leaf_says_what_it_would_do():
    steps = [
        {"type": "wait", "seconds": 5},
        {"type": "wait", "signal": "go"},
        {"type": "wait", "until": "2030-01-01T00:00:00Z"},
        {"type": "human", "id": "h", "prompt": "Send it?", "choices": ["yes"]},
        {"type": "tool", "id": "t", "agent": "a", "tool": "look", "arguments": {"at": "{{h}}"}},
        {"type": "subflow", "name": "stored", "version": 3},
    ]
    run = dry_run(WorkflowSpec.parse({"name": "w", "root": {"type": "sequence", "steps": steps}}))
    assert [step.does for step in run.steps[1:]] == [
        "wait for 5 s",
        "wait for the signal go",
        "wait for 2030-01-01 00:00:00+00:00",
        "ask: Send it?",
        "look(at='yes')",
        "the workflow stored, version 3",
    ]


def test_any_program_can_be_walked():
    for number in range(200):
        run = dry_run(WorkflowSpec.parse(Programs(Random(number)).make()))
        assert run.outcome is not None


PARTS = {"a": {"type": "integer"}, "b": {"type": "array", "items": {"enum": [1, 2]}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": PARTS},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"const": 4},
        {"type": ["boolean", "null"]},
        {"type": "array", "minItems": 3, "items": {"type": "number", "minimum": 5}},
        {"type": "array", "maxItems": 1},
        {},
    ],
)
def test_a_stub_is_what_its_schema_describes(schema):
    Draft202012Validator(schema).validate(stub_of(schema))
