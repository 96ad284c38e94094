"""Conditions: each operator, by the types of JSON."""

import pytest
from pydantic import TypeAdapter, ValidationError

from powerloop.workflow.conditions import Condition, holds, references_of

CONDITION = TypeAdapter(Condition)
VALUES = {
    "node": {"yes": True, "one": 1, "half": 0.5, "word": "cats", "none": None, "list": [1, {"a": True}]},
}


def check(ref, **test):
    return CONDITION.validate_python({"ref": f"node.{ref}", **test})


@pytest.mark.parametrize(
    ("ref", "test"),
    [
        ("yes", {"eq": True}),
        ("one", {"eq": 1.0}),
        ("none", {"eq": None}),
        ("list", {"eq": [1, {"a": True}]}),
        ("word", {"ne": "dogs"}),
        ("gone", {"ne": "dogs"}),
        ("word", {"in": ["cats", 1]}),
        ("one", {"gt": 0}),
        ("half", {"gte": 0.5}),
        ("word", {"lt": "dogs"}),
        ("one", {"lte": 1}),
        ("word", {"exists": True}),
        ("none", {"exists": False}),
        ("gone", {"exists": False}),
        ("word", {"matches": "^c.t"}),
    ],
)
def test_what_holds(ref, test):
    assert holds(check(ref, **test), VALUES)
    assert not holds(CONDITION.validate_python({"not": {"ref": f"node.{ref}", **test}}), VALUES)


@pytest.mark.parametrize(
    ("ref", "test"),
    [
        ("yes", {"eq": "true"}),
        ("yes", {"eq": 1}),
        ("one", {"eq": True}),
        ("one", {"eq": "1"}),
        ("gone", {"eq": None}),
        ("yes", {"in": [1, "true"]}),
        ("word", {"gt": 0}),
        ("yes", {"gte": 0}),
        ("none", {"lt": 5}),
        ("gone", {"lte": 5}),
        ("none", {"exists": True}),
        ("one", {"matches": "1"}),
    ],
)
def test_what_does_not_hold(ref, test):
    assert not holds(check(ref, **test), VALUES)


def test_conditions_are_put_together():
    yes, no = {"ref": "node.yes", "eq": True}, {"ref": "node.yes", "eq": False}
    for combination, expected in [
        ({"all": [yes, yes]}, True),
        ({"all": [yes, no]}, False),
        ({"any": [no, yes]}, True),
        ({"any": [no, {"not": yes}]}, False),
    ]:
        condition = CONDITION.validate_python(combination)
        assert holds(condition, VALUES) is expected
        assert {str(reference) for reference in references_of(condition)} == {"node.yes"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"ref": "a"},
        {"ref": "a", "eq": 1, "ne": 2},
        {"ref": "a", "matches": "("},
        {"ref": "a b", "eq": 1},
        {"all": []},
        {"ref": "a", "equals": 1},
    ],
)
def test_what_is_no_condition_is_refused(wrong):
    with pytest.raises(ValidationError):
        CONDITION.validate_python(wrong)
