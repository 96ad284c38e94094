"""The errors of `jsonschema`, as problems that a model can mend."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import ValidationError

from powerloop.mending.schema import Node, Path, keys_at
from powerloop.mending.words import (
    MAX_MESSAGE_LENGTH,
    Problem,
    clip,
    did_you_mean,
    given,
    listed,
    place,
    unknown_key,
)


def problems_of(errors: Iterable[ValidationError], schema: Node, *, arguments: bool = True) -> list[Problem]:
    """Every error as one problem, or as several where keys are missing or unknown.

    Args:
        errors: What `jsonschema` found.
        schema: The whole schema.
        arguments: Whether the value is the arguments of a call.
    """
    return [problem for error in errors for problem in _problems(error, schema, arguments)]


def _problems(error: ValidationError, schema: Node, arguments: bool) -> Iterator[Problem]:
    path: Path = tuple(error.absolute_path)
    match error.validator:
        case "required":
            yield from (Problem((*path, key), "is missing") for key in _lacking(error))
        case "additionalProperties" | "unevaluatedProperties" if extra := _unknown(error, schema, path):
            known, top = keys_at(schema, path), arguments and not path
            yield from (Problem((*path, key), unknown_key(key, known, top=top)) for key in extra)
        case "anyOf" | "oneOf" if error.context:
            yield Problem(path, ", or ".join(dict.fromkeys(_alternatives(error, schema, arguments))))
        case _:
            yield Problem(path, _text(error))


def _lacking(error: ValidationError) -> list[str]:
    required: Any = error.validator_value
    instance: Any = error.instance
    return [key for key in required if key not in instance]


def _unknown(error: ValidationError, schema: Node, path: Path) -> list[str]:
    """The keys that are too many; none where keys of any name are taken if their values fit."""
    if error.validator_value is not False:
        return []
    own: Any = error.schema
    instance: Any = error.instance
    known, patterns = keys_at(schema, path), tuple(own.get("patternProperties", ()))
    return [
        key
        for key in instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ]


def _alternatives(error: ValidationError, schema: Node, arguments: bool) -> Iterator[str]:
    """What each branch of a union has against the value."""
    for cause in error.context or ():
        for problem in _problems(cause, schema, arguments):
            inner = problem.path[len(error.absolute_path) :]
            yield f"its {place(inner)} {problem.text}" if inner else problem.text


def _text(error: ValidationError) -> str:
    value = given(error.instance)
    expected: Any = error.validator_value
    match error.validator:
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            return f"should be of type {' or '.join(kinds)}, not {value}"
        case "enum":
            choices = clip(listed([given(choice) for choice in expected]), MAX_MESSAGE_LENGTH)
            nearest = did_you_mean(error.instance, expected)
            return f"should be one of {choices}, not {value}" + (f"; {nearest}" if nearest else "")
        case "const":
            return f"should be {given(expected)}, not {value}"
        case _:
            return f"is wrong: {_reason(error)}"


def _reason(error: ValidationError) -> str:
    """What `jsonschema` says, with the value as JSON and cut short, where it begins with the value."""
    written = repr(error.instance)
    if error.message.startswith(written):
        return given(error.instance) + error.message[len(written) :]
    return error.message
