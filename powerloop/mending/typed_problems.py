"""Pydantic's errors, as problems that a model can mend."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from powerloop.mending.schema import Node, Path, choices_at, keys_at
from powerloop.mending.words import MAX_MESSAGE_LENGTH, Problem, clip, did_you_mean, given, unknown_key

_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_CHOICES = frozenset({"enum", "literal_error"})


@dataclass(frozen=True, slots=True)
class _Finding:
    """A problem as pydantic tells it: one for each branch of a union."""

    path: Path
    text: str
    #: What stands once behind the texts of all branches.
    ending: str = ""


def problems_of(
    error: ValidationError, value: Mapping[str, Any], schema: Node, *, arguments: bool = True
) -> list[Problem]:
    """One problem for each place: what the branches of a union say is joined.

    Args:
        error: What pydantic found.
        value: What it found it in.
        schema: JSON Schema of what it should be.
        arguments: Whether the value is the arguments of a call.
    """
    found = [_finding(detail, value, schema, arguments) for detail in error.errors(include_url=False)]
    return [
        Problem(
            path,
            clip(", or ".join(dict.fromkeys(item.text for item in branches)), MAX_MESSAGE_LENGTH) + ending,
        )
        for (path, ending), branches in groupby(found, key=lambda finding: (finding.path, finding.ending))
    ]


def _finding(detail: ErrorDetails, value: Mapping[str, Any], schema: Node, arguments: bool) -> _Finding:
    path = _path(detail, value)
    if detail["type"] in _MISSING:
        return _Finding(path, "is missing")
    if detail["type"] in _UNKNOWN:
        return _Finding(
            path, unknown_key(str(path[-1]), keys_at(schema, path[:-1]), top=arguments and len(path) == 1)
        )
    if detail["type"] == "value_error" and isinstance(detail["input"], Mapping):
        # What a whole object lacks is said by the text; shown again, it would drown it.
        return _Finding(path, _message(detail["msg"]))
    nearest = did_you_mean(detail["input"], choices_at(schema, path)) if detail["type"] in _CHOICES else ""
    ending = f", not {given(detail['input'])}" + (f"; {nearest}" if nearest else "")
    return _Finding(path, _message(detail["msg"]), ending)


def _path(detail: ErrorDetails, value: Mapping[str, Any]) -> Path:
    """Where the problem is in what was given. Pydantic's path also has the branches of unions: left out."""
    path: list[str | int] = []
    here: Any = value
    for step in detail["loc"]:
        if _holds(here, step):
            here = here[step]
            path.append(step)
    return (*path, detail["loc"][-1]) if detail["type"] in _MISSING else tuple(path)


def _holds(here: object, step: str | int) -> bool:
    if isinstance(here, list | tuple):
        return isinstance(step, int) and step < len(here)
    return isinstance(here, Mapping) and step in here


def _message(message: str) -> str:
    """What pydantic says, as the end of a sentence that begins with the place."""
    for opening, ours in _OPENINGS.items():
        if message.startswith(opening):
            return ours + message[len(opening) :]
    return f"is wrong: {message}"


_OPENINGS = {
    "Input should": "should",
    "String should": "should",
    "List should": "should",
    "Tuple should": "should",
    "Set should": "should",
    "Dictionary should": "should",
    "Value should": "should",
    "Value error, should": "should",
    "Value error, ": "is wrong: ",
    "Assertion failed, ": "is wrong: ",
}
