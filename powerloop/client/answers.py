"""Answers of people: whether they fit the question, told before anything is written."""

import json
from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.interactions import Interaction, InteractionKind, resolve
from powerloop.kernel.jsontypes import JSON, JSONObject
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.words import clip, did_you_mean, given, listed, place
from powerloop.store.encoding import cleaned
from powerloop.store.matching import json_equal

_MAX_SCHEMA_LENGTH: Final = 2_000

_UNCHECKED: Final = "no answer can be checked: the schema of the question is not valid: {}."


def checked_answer(asked: Interaction, value: Any) -> JSON:  # noqa: ANN401 - whatever a person said
    """The answer, as it is kept.

    Raises:
        InvalidInput: it is not JSON, not an answer to a question of this kind, or does not match the schema
            and the choices of this one.
    """
    answer: JSON = cleaned(value)
    resolution = resolve(asked.kind, answer)
    if asked.kind is InteractionKind.INPUT:
        what, problems = "the answer does not fit", list(_misfits(asked, answer))
    else:
        what, problems = "the arguments do not fit", list(_broken(resolution.arguments, asked.schema))
    if problems:
        raise InvalidInput(f"{what}: {'; '.join(dict.fromkeys(problems))}.", hint=_hint(asked))
    return answer


def read_answer(asked: Interaction, text: str) -> JSON:
    """What a person typed: JSON; or the text as it is, where it is no JSON, or where nothing else fits."""
    try:
        value: JSON = json.loads(text)
    except ValueError:
        return text
    return text if not _fits(asked, value) and _fits(asked, text) else value


def _fits(asked: Interaction, answer: JSON) -> bool:
    try:
        checked_answer(asked, answer)
    except InvalidInput:
        return False
    return True


def _misfits(asked: Interaction, answer: JSON) -> Iterator[str]:
    if asked.schema is not None:
        yield from _violations(answer, asked.schema, arguments=False)
    if asked.choices and not any(json_equal(answer, choice) for choice in asked.choices):
        nearest = did_you_mean(answer, asked.choices)
        yield f"it should be one of the choices, not {given(answer)}" + (f"; {nearest}" if nearest else "")


def _broken(arguments: JSONObject | None, schema: JSONObject | None) -> Iterator[str]:
    if arguments is not None and schema is not None:
        yield from _violations(arguments, schema, arguments=True)


def _violations(value: JSON, schema: JSONObject, *, arguments: bool) -> Iterator[str]:
    """What the schema has against the value. References may point into the schema; nothing is fetched."""
    try:
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(
            schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        errors = list(validator.iter_errors(value))
    except SchemaError as error:
        raise InvalidInput(_UNCHECKED.format(error.message), hint="Cancel the send.") from error
    except Unresolvable as error:
        raise InvalidInput(_UNCHECKED.format(error), hint="Cancel the send.") from error
    for problem in problems_of(errors, schema, arguments=arguments):
        yield f"{place(problem.path)} {problem.text}"


def _hint(asked: Interaction) -> str | None:
    if asked.kind is InteractionKind.INPUT and asked.choices:
        return f"The choices: {listed([given(choice) for choice in asked.choices])}."
    return f"The schema: {clip(json.dumps(asked.schema, ensure_ascii=False), _MAX_SCHEMA_LENGTH)}"
