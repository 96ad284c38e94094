"""Answers are checked against what was asked, and every problem is told."""

from datetime import UTC, datetime

import pytest

from powerloop.client.answers import checked_answer, read_answer
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus

ORDER = {
    "type": "object",
    "properties": {
        "size": {"enum": ["S", "M"]},
        "amount": {"type": "integer", "minimum": 1},
        "due": {"type": "string", "format": "date"},
        "next": {"$ref": "#"},
    },
    "required": ["size", "amount"],
    "additionalProperties": False,
}
TEXT = {"type": "string"}


def question(kind=InteractionKind.INPUT, schema=None, choices=()):
    return Interaction(
        id=InteractionId("q"),
        kind=kind,
        status=InteractionStatus.OPEN,
        session_id=SessionId("s"),
        send_id=SendId("x"),
        call_id=CallId("c"),
        tool="look",
        arguments={},
        prompt="?",
        schema=schema,
        choices=choices,
        default=None,
        expires_at=None,
        answer=None,
        actor="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        closed_at=None,
    )


@pytest.mark.parametrize("value", ["x", "", 1, 1.5, False, None, [], {"a": [None]}], ids=repr)
def test_any_json_answers_a_question_that_asks_for_nothing_special(value):
    assert checked_answer(question(), value) == value


def test_an_answer_is_kept_as_plain_json():
    assert checked_answer(question(), ("a", {1: float("nan"), "nul": "\x00"})) == [
        "a",
        {"1": None, "nul": "\N{REPLACEMENT CHARACTER}"},
    ]


def test_what_is_no_json_is_refused():
    with pytest.raises(InvalidInput, match="not JSON"):
        checked_answer(question(), object())


def test_an_answer_that_matches_the_schema_is_taken():
    answer = {"size": "S", "amount": 1, "due": "2026-01-31", "next": {"size": "M", "amount": 2}}
    assert checked_answer(question(schema=ORDER), answer) == answer


def test_every_problem_of_an_answer_is_told_with_its_place_and_the_schema():
    answer = {"siz": "S", "amount": 0, "due": "soon", "next": {"size": "XL", "amount": True}}
    with pytest.raises(InvalidInput) as refused:
        checked_answer(question(schema=ORDER), answer)
    message = refused.value.message
    assert message.startswith("the answer does not fit: ")
    for problem in (
        "size is missing",
        "siz is not known here; did you mean 'size'?",
        "amount is wrong: 0 is less than the minimum of 1",
        "due is wrong: \"soon\" is not a 'date'",
        'next.size should be one of "S", "M", not "XL"',
        "next.amount should be of type integer, not true",
    ):
        assert problem in message
    assert '"required": ["size", "amount"]' in refused.value.hint


@pytest.mark.parametrize("value", ["S", 2, None, {"a": 1}], ids=repr)
def test_one_of_the_choices_is_taken(value):
    assert checked_answer(question(choices=("S", 2.0, None, {"a": 1})), value) == value


@pytest.mark.parametrize("value", ["s", True, 0, {}, [2]], ids=repr)
def test_what_is_none_of_the_choices_is_refused_with_all_of_them(value):
    with pytest.raises(InvalidInput, match="one of the choices, not") as refused:
        checked_answer(question(choices=("S", 1, None)), value)
    assert refused.value.hint == 'The choices: "S", 1, null.'


def test_the_nearest_choice_is_suggested():
    with pytest.raises(InvalidInput, match="did you mean 'tomorrow'"):
        checked_answer(question(choices=("today", "tomorrow")), "tomorow")


def test_an_approval_may_be_edited_within_the_schema_of_the_arguments():
    asked = question(InteractionKind.APPROVAL, schema=ORDER)
    edit = {"action": "edit", "arguments": {"size": "S", "amount": 3}}
    assert checked_answer(asked, edit) == edit
    with pytest.raises(InvalidInput, match="the arguments do not fit: amount should be of type integer"):
        checked_answer(asked, {"action": "edit", "arguments": {"size": "S", "amount": "much"}})
    with pytest.raises(InvalidInput, match="colour is not an argument of this tool"):
        checked_answer(asked, {"action": "edit", "arguments": {"size": "S", "amount": 1, "colour": "red"}})
    with pytest.raises(InvalidInput, match='"arguments", an object'):
        checked_answer(asked, {"action": "edit"})


@pytest.mark.parametrize(
    "answer", [{"action": "approve"}, {"action": "deny", "reason": "Too much."}], ids=str
)
def test_what_changes_no_arguments_is_not_held_against_their_schema(answer):
    assert checked_answer(question(InteractionKind.APPROVAL, schema=ORDER), answer) == answer


@pytest.mark.parametrize("kind", [InteractionKind.APPROVAL, InteractionKind.IN_DOUBT])
def test_an_answer_to_a_question_of_another_kind_is_refused(kind):
    for answer in ("yes", {"action": "perhaps"}, {"size": "S"}):
        with pytest.raises(InvalidInput, match="action"):
            checked_answer(question(kind), answer)


@pytest.mark.parametrize(
    "schema",
    [{"type": "colour"}, {"$ref": "#/$defs/none"}, {"$ref": "https://example.com/schema"}, {"pattern": "("}],
    ids=str,
)
def test_a_schema_that_is_none_takes_no_answer_and_fetches_nothing(schema):
    with pytest.raises(InvalidInput, match="the schema of the question is not valid") as refused:
        checked_answer(question(schema=schema), "x")
    assert refused.value.hint == "Cancel the send."


@pytest.mark.parametrize(
    ("asked", "text", "value"),
    [
        (question(), "Monday", "Monday"),
        (question(), '{"a": 1}', {"a": 1}),
        (question(), "7", 7),
        (question(), '"7"', "7"),
        (question(), "", ""),
        (question(schema=TEXT), "7", "7"),
        (question(schema=TEXT), "null", "null"),
        (question(choices=("1", "2")), "2", "2"),
        (question(choices=(1, 2)), "2", 2),
        (question(schema=ORDER), "7", 7),
        (question(InteractionKind.APPROVAL), '{"action": "approve"}', {"action": "approve"}),
    ],
)
def test_what_is_typed_is_json_or_else_a_text(asked, text, value):
    assert read_answer(asked, text) == value
