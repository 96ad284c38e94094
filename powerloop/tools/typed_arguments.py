"""Arguments that are checked by the annotations of a function's parameters, with pydantic."""

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, SchemaError, to_json

from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.jsontypes import clean_json
from powerloop.mending.typed_problems import problems_of
from powerloop.mending.words import explain
from powerloop.tools.arguments import Bound
from powerloop.tools.signature import Parameter

#: What pydantic raises for a type that it cannot check, or cannot describe.
_UNFIT = (PydanticUserError, SchemaError, TypeError)


class TypedArguments:
    """Checks by type, in pydantic's lax mode: ``"3"`` is taken for an integer, as models often quote numbers.

    A key that is no parameter is refused, as it is inside dataclasses and typed dicts. Inside a pydantic
    model, its own config says what becomes of unknown keys; pydantic's default is to ignore them.

    Raises:
        InvalidInput: a parameter's type cannot be checked, or has no JSON Schema.
    """

    def __init__(self, parameters: Sequence[Parameter], label: str) -> None:
        self._positional = tuple(parameter.name for parameter in parameters if parameter.positional_only)
        # The fields have names of our own, with the parameters' names as aliases: a parameter may have a name
        # that pydantic allows no field to have, ``_id`` or ``copy``.
        self._names = {f"argument_{index}": parameter.name for index, parameter in enumerate(parameters)}
        try:
            self._model = _model(parameters)
            self._schema = _tidy(self._model.model_json_schema(schema_generator=_Schema))
        except _UNFIT as error:
            raise _culprit(parameters, label, error) from error
        self._validator = self._model.__pydantic_validator__

    @property
    def schema(self) -> Mapping[str, Any]:
        return self._schema

    def check(self, given: Mapping[str, Any]) -> Bound:
        try:
            checked = self._validator.validate_json(_as_json(given))
        except ValidationError as error:
            raise ToolArgumentsInvalid(
                explain(problems_of(error, given, self._schema), self._schema)
            ) from error
        values = {name: getattr(checked, field) for field, name in self._names.items()}
        return Bound(args=tuple(values.pop(name) for name in self._positional), kwargs=values)


def _model(parameters: Sequence[Parameter]) -> type[BaseModel]:
    fields: dict[str, Any] = {f"argument_{index}": _field(item) for index, item in enumerate(parameters)}
    return create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """The type and default of a field. What the annotation says of itself wins over the docstring."""
    first, *rest = (
        typing.get_args(parameter.annotation)
        if typing.get_origin(parameter.annotation) is Annotated
        else (parameter.annotation,)
    )
    name = parameter.name
    described = Field(description=parameter.description or None)
    named = Field(alias=name, validation_alias=name, serialization_alias=name)
    annotation = Annotated[(first, described, *rest, named)]  # type: ignore[valid-type] # built from its parts
    return annotation, ... if parameter.default is inspect.Parameter.empty else parameter.default


def _as_json(given: Mapping[str, Any]) -> bytes:
    """The arguments as the JSON they were: from JSON, even a strict model takes a string for a date."""
    try:
        return to_json(given)
    except PydanticSerializationError:
        return to_json(clean_json(given))


class _Schema(GenerateJsonSchema):
    """JSON Schema without the titles that repeat the names of the fields."""

    # A default that is not JSON is not shown to the model; that is all right.
    ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012 - as pydantic declares it

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        return False


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what matters first, and without the names of classes as titles."""
    for name, definition in schema.get("$defs", {}).items():
        if definition.get("title") == name:
            del definition["title"]
    keys = ("type", "properties", "required", "additionalProperties", "$defs")
    return {key: schema[key] for key in keys if key in schema}


def _culprit(parameters: Sequence[Parameter], label: str, error: Exception) -> InvalidInput:
    """The refusal, by the name of the first parameter whose type does not do."""
    for parameter in parameters:
        try:
            TypeAdapter(parameter.annotation).json_schema(schema_generator=_Schema)
        except _UNFIT as own:
            return InvalidInput(
                f"tool {label}: a model cannot give a value for {parameter.name!r}: {_first_line(own)}",
                hint="Use JSON's types, enums, dates, dataclasses or pydantic models. What the model is not "
                "to give comes from ToolContext.deps, or is fixed by functools.partial.",
            )
    return InvalidInput(f"tool {label}: its parameters have no JSON Schema: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
