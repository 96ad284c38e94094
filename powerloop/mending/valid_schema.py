"""Whether a JSON Schema, draft 2020-12, is one."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from powerloop.mending.schema import Path
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.words import Problem

_VALIDATOR = Draft202012Validator(
    Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER
)


def schema_problems(schema: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with the schema; nothing where it is valid.

    References may point into the schema; nothing is fetched.
    """
    errors = _VALIDATOR.iter_errors(schema)
    problems = problems_of(errors, Draft202012Validator.META_SCHEMA, arguments=False)
    return list(dict.fromkeys(problems)) or list(_dangling(schema))


def _dangling(schema: Mapping[str, Any]) -> Iterator[Problem]:
    """The references that lead nowhere."""
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for path, reference in _references(schema, ()):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield Problem(path, f"is wrong: {reference!r} points nowhere in the schema")


def _references(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        if isinstance(reference := value.get("$ref"), str):
            yield (*path, "$ref"), reference
        for key, item in value.items():
            yield from _references(item, (*path, key))
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _references(item, (*path, index))
