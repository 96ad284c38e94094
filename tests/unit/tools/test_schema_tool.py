"""Tools given as a JSON Schema and a handler."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.tools import ToolContext
from powerloop.tools import schema_tool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order-id": {"type": "string", "minLength": 3},
        "count": {"type": ["integer", "null"], "minimum": 1},
        "colour": {"enum": ["red", "green", None]},
        "kind": {"const": "gift"},
        "to": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["street"]}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "maxItems": 3},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["order-id"],
    "additionalProperties": False,
    "$defs": {
        "Line": {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": False}
    },
}


def echo(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments


echoing = schema_tool("echo", "Say it again.", SCHEMA, echo, effect="read")


def problems(**arguments):
    with pytest.raises(ToolArgumentsInvalid) as caught:
        echoing.check({"order-id": "A-17", **arguments})
    return [line.removeprefix("- ") for line in str(caught.value).splitlines() if line.startswith("- ")]


def test_the_schema_is_shown_as_it_stands():
    assert echoing.spec.parameters == SCHEMA
    assert (echoing.spec.name, echoing.spec.description) == ("echo", "Say it again.")
    assert (echoing.spec.effect, echoing.spec.concurrent) == (Effect.READ, True)


def test_a_change_of_the_schema_afterwards_changes_nothing():
    schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    made = schema_tool("echo", "", schema, echo)

    schema["properties"]["a"] = {}

    with pytest.raises(ToolArgumentsInvalid):
        made.check({"a": 1})


async def test_the_handler_gets_its_arguments_as_one_dict(run):
    outcome = await run(echoing, {"order-id": "A-17", "count": 2})

    assert outcome.text == '{"order-id":"A-17","count":2}'


async def test_a_handler_of_two_parameters_gets_the_context_first(run):
    async def handle(context: ToolContext[str], arguments: dict[str, Any]) -> str:
        return f"{context.deps} {arguments['a']}"

    assert (
        await run(schema_tool("x", "", {"type": "object"}, handle), {"a": 1}, deps="deep")
    ).text == "deep 1"
    short = schema_tool("x", "", {"type": "object"}, lambda c, a: f"{c.deps} {a['a']}")
    assert (await run(short, {"a": 1}, deps="deep")).text == "deep 1"


async def test_a_handler_may_change_its_arguments_without_changing_the_call(run):
    def spoil(arguments: dict[str, Any]) -> None:
        arguments["list"].clear()

    given_arguments = {"list": [1]}
    await run(schema_tool("spoil", "", {"type": "object"}, spoil), given_arguments)

    assert given_arguments == {"list": [1]}


async def test_a_type_error_inside_the_handler_is_its_own(run):
    calls = []

    def broken(arguments: dict[str, Any]) -> None:
        calls.append(arguments)
        raise TypeError("broken() takes 0 positional arguments but 1 was given")

    outcome = await run(schema_tool("broken", "", {"type": "object"}, broken))

    assert outcome.status is CallStatus.FAILED
    assert "TypeError: broken() takes 0 positional arguments" in outcome.text
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"order-id": "A"}, 'order-id is wrong: "A" is too short'),
        ({"order-id": 3}, "order-id should be of type string, not 3"),
        ({"count": "3"}, 'count should be of type integer or null, not "3"'),
        ({"count": 0}, "count is wrong: 0 is less than the minimum of 1"),
        (
            {"colour": "gren"},
            'colour should be one of "red", "green", null, not "gren"; did you mean \'green\'?',
        ),
        ({"kind": "gifts"}, 'kind should be "gift", not "gifts"'),
        ({"to": {}}, "to should be of type string, not {}, or its street is missing"),
        ({"lines": [{}, {"skku": 1}]}, "lines[1].skku is not known here; did you mean 'sku'?"),
        ({"lines": [{"sku": 1}]}, "lines[0].sku should be of type string, not 1"),
        ({"lines": [{}] * 4}, "lines is wrong: [{}, {}, {}, {}] is too long"),
        ({"day": "tomorrow"}, "day is wrong: \"tomorrow\" is not a 'date'"),
        ({"orderid": 1}, "orderid is not an argument of this tool; did you mean 'order-id'?"),
    ],
)
def test_each_problem_is_told_with_its_place(arguments, problem):
    assert problems(**arguments) == [problem]


def test_every_problem_is_told_at_once():
    assert len(problems(count=0, colour="x", kind="x", nothing=1, lines=[1, 2])) == 6


def test_a_missing_argument_is_told_once():
    with pytest.raises(
        ToolArgumentsInvalid, match=r"run:\n- order-id is missing\nIts arguments are: order-id "
    ):
        echoing.check({})


def test_unknown_keys_are_taken_where_the_schema_takes_them():
    free = schema_tool("free", "", {"type": "object", "properties": {"a": {}}}, echo)

    assert free.check({"b": 1}).args == ({"b": 1},)


def test_keys_that_match_a_pattern_are_known():
    tagging = schema_tool(
        "tag", "", {"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False}, echo
    )

    with pytest.raises(ToolArgumentsInvalid, match=r"run:\n- y is not an argument of this tool\nIt takes"):
        tagging.check({"x-a": 1, "y": 2})


def test_a_long_list_of_choices_is_cut_and_the_nearest_still_named():
    choices = [f"colour-{number:03}" for number in range(500)]
    paint = schema_tool("p", "", {"type": "object", "properties": {"c": {"enum": choices}}}, echo)

    with pytest.raises(
        ToolArgumentsInvalid, match=r"…, not \"color-123\"; did you mean 'colour-123'\?"
    ) as caught:
        paint.check({"c": "color-123"})

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, 'type must be "object"'),
        ({"type": "array"}, 'type must be "object"'),
        ({"type": "objekt"}, "type should be one of .*did you mean 'object'"),
        (
            {"type": "object", "properties": {"a": {"type": 3}}, "required": "a"},
            "properties.a.type.*required",
        ),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}, "'#/\\$defs/A' points nowhere"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x.invalid/a"}}}, "points nowhere"),
        ({"type": "object", "default": object()}, "is not JSON"),
    ],
)
def test_a_schema_that_is_not_valid_is_refused_with_everything_wrong(schema, words):
    with pytest.raises(InvalidInput, match=words):
        schema_tool("broken", "", schema, echo)


def test_a_schema_may_refer_to_itself():
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "additionalProperties": False,
    }
    grow = schema_tool("grow", "", tree, echo)

    assert grow.check({"children": [{"children": []}]})
    with pytest.raises(ToolArgumentsInvalid, match=re.escape("children[0].kids is not known here")):
        grow.check({"children": [{"kids": []}]})


@pytest.mark.parametrize(
    "handler", [lambda: "", lambda a, b, c: "", lambda *rest: "", lambda **rest: "", lambda *, a: ""]
)
def test_a_handler_of_another_shape_is_refused(handler):
    with pytest.raises(InvalidInput, match=r"\(arguments\) or \(context, arguments\)"):
        schema_tool("x", "", {"type": "object"}, handler)


def test_a_handler_that_yields_is_refused():
    def handle(arguments: dict[str, Any]) -> Any:
        yield arguments

    with pytest.raises(InvalidInput, match="it yields"):
        schema_tool("x", "", {"type": "object"}, handle)


def refusal(arguments):
    try:
        echoing.check(arguments)
    except ToolArgumentsInvalid as error:
        return str(error)
    return ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(SCHEMA["properties"])) | st.text(), json_values))
def test_arguments_are_taken_or_refused_in_words_and_nothing_else(arguments):
    text = refusal(arguments)

    assert text == "" or "\n- " in text
