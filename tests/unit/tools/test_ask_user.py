"""The tool by which a model asks a person."""

from datetime import date, timedelta

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.waits import Question
from powerloop.tools import ask_user


async def asked(run, asking, **arguments):
    return (await run(asking, arguments)).wait


async def refused(run, asking, **arguments):
    outcome = await run(asking, arguments)
    assert outcome.status is CallStatus.FAILED
    return [line.removeprefix("- ") for line in outcome.text.splitlines() if line.startswith("- ")]


async def test_a_model_asks_in_words(run):
    assert await asked(run, ask_user(), prompt="Which size?") == Question(prompt="Which size?")


async def test_a_model_may_give_choices_and_a_schema(run):
    question = await asked(run, ask_user(), prompt="How many?", choices=[1, 2], schema={"type": "integer"})

    assert (question.choices, question.schema) == ((1, 2), {"type": "integer"})


async def test_null_is_what_a_model_leaves_out(run):
    assert await asked(run, ask_user(), prompt="x", choices=None, schema=None) == Question(prompt="x")


async def test_the_author_sets_a_deadline_and_what_is_answered_then(run):
    asking = ask_user(within=timedelta(hours=1), default={"day": date(2026, 1, 2)})

    question = await asked(run, asking, prompt="When?")

    assert (question.within, question.default) == (timedelta(hours=1), {"day": "2026-01-02"})


async def test_a_model_has_no_say_about_deadlines_unless_it_is_given(run):
    assert {"deadline_seconds", "default"}.isdisjoint(ask_user().spec.parameters["properties"])
    assert len(await refused(run, ask_user(), prompt="x", deadline_seconds=5, default="S")) == 2


async def test_a_model_may_be_let_set_deadline_and_default(run):
    asking = ask_user(deadlines=True)

    question = await asked(run, asking, prompt="x", deadline_seconds=1.5, default="S", choices=["S", "M"])

    assert (question.within, question.default) == (timedelta(seconds=1.5), "S")
    assert await refused(run, asking, prompt="x", default="S") == [
        "deadline_seconds is missing: without it the default is never used"
    ]


async def test_a_model_waits_no_longer_than_the_author(run):
    asking = ask_user(within=timedelta(minutes=1), default="none", deadlines=True)

    assert (await asked(run, asking, prompt="x", default="S")).within == timedelta(minutes=1)
    assert (await asked(run, asking, prompt="x", deadline_seconds=30)).default == "none"
    [problem] = await refused(run, asking, prompt="x", deadline_seconds=61)
    assert "greater than the maximum of 60" in problem


async def test_a_schema_that_is_none_is_told_with_its_places(run):
    problems = await refused(
        run, ask_user(), prompt="x", schema={"type": "strin", "properties": {"a": {"pattern": "("}}}
    )

    assert len(problems) == 2
    assert problems[0].startswith("schema.type should be one of")
    assert "did you mean 'string'?" in problems[0]
    assert problems[1] == "schema.properties.a.pattern is wrong: \"(\" is not a 'regex'"


async def test_choices_and_default_must_be_answers(run):
    problems = await refused(
        run,
        ask_user(deadlines=True),
        prompt="x",
        choices=["S", 1],
        schema={"type": "string"},
        deadline_seconds=5,
        default=2,
    )

    assert problems == [
        "default should be one of the choices, not 2",
        "default should be of type string, not 2 (so the schema says)",
        "choices[1] should be of type string, not 1 (so the schema says)",
    ]


@pytest.mark.parametrize("arguments", [{}, {"prompt": ""}, {"prompt": "x", "choices": []}, {"prompt": " "}])
async def test_a_question_that_asks_nothing_is_refused(run, arguments):
    assert (await run(ask_user(), arguments)).status is CallStatus.FAILED


def test_it_may_have_another_name_and_changes_nothing():
    spec = ask_user(name="ask_editor").spec

    assert (spec.name, spec.effect, spec.concurrent) == ("ask_editor", Effect.READ, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"default": "S"}, "never be used"),
        ({"within": 60}, "within=60 is not a span"),
        ({"within": timedelta(days=5000)}, "longer than"),
        ({"within": timedelta(hours=1), "default": object()}, "not JSON"),
        ({"name": "ask user"}, "name of a tool"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        ask_user(**options)
