"""Arguments that are checked by a JSON Schema, draft 2020-12."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from pydantic_core import PydanticSerializationError, from_json, to_json
from referencing import Registry

from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.jsontypes import clean_json
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.valid_schema import schema_problems
from powerloop.mending.words import explain, place
from powerloop.tools.arguments import Bound


class SchemaArguments:
    """Checks what the schema says, no more: nothing is converted, and unknown keys are refused if it says so.

    A checked object is passed on as one dict. References may point into the schema; nothing is fetched.

    Raises:
        InvalidInput: the schema is not valid, not one of an object, or refers to what it does not contain.
    """

    def __init__(self, schema: Mapping[str, Any], label: str) -> None:
        self._schema = _checked_schema(schema, label)
        self._validator = Draft202012Validator(
            self._schema, registry=Registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
        )

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._schema

    def check(self, given: Mapping[str, Any]) -> Bound:
        value = _copy(given)
        if errors := list(self._validator.iter_errors(value)):
            raise ToolArgumentsInvalid(explain(problems_of(errors, self._schema), self._schema))
        return Bound(args=(value,))


def _copy(given: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in plain dicts and lists: a tool may change what it is given, but not what the journal holds."""
    try:
        text = to_json(given)
    except PydanticSerializationError:
        text = to_json(clean_json(given))
    copy: dict[str, Any] = from_json(text)
    return copy


def _checked_schema(schema: Mapping[str, Any], label: str) -> dict[str, Any]:
    try:
        own = _copy(schema)
    except PydanticSerializationError as error:
        raise InvalidInput(f"tool {label}: its schema is not JSON: {error}") from error
    problems = [f"{place(problem.path)} {problem.text}" for problem in schema_problems(own)]
    if not problems and own.get("type") != "object":
        problems = ['type must be "object", as arguments are an object']
    if problems:
        raise InvalidInput(f"tool {label}: its schema is not valid: {'; '.join(problems)}.")
    return own
