"""Agents as data: what a model, or a program, may say of an agent that nobody has defined."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, SkipJsonSchema

from powerloop.kernel.jsontypes import JSONObject

MODEL_NOTE: Final = "a model is given as provider:model, such as openai:gpt-4o-mini"


def names_model(text: str) -> bool:
    """Whether it is of the form ``provider:model``."""
    provider, colon, name = text.partition(":")
    return bool(provider and colon and name)


def _provided(model: str) -> str:
    if not names_model(model):
        raise ValueError(MODEL_NOTE)
    return model


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("a tool is there twice")
    return names


class AgentSpec(BaseModel):
    """An agent, told by how it differs from one that workers know. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
            max_length=64,
            description="What it is called, in letters, digits, spaces, dots, _ and -. A name of its own.",
        ),
    ]
    base: Annotated[
        Annotated[str, Field(min_length=1)] | SkipJsonSchema[None],
        Field(description="The agent that it differs from; by default the one that calls."),
    ] = None
    model: Annotated[
        Annotated[str, AfterValidator(_provided)] | SkipJsonSchema[None],
        Field(description="As provider:model. By default that of the base."),
    ] = None
    instructions: Annotated[
        str | SkipJsonSchema[None], Field(description="Its system prompt. By default that of the base.")
    ] = None
    tools: Annotated[
        Annotated[tuple[str, ...], AfterValidator(_distinct)] | SkipJsonSchema[None],
        Field(
            description="The names of the tools that it gets, each one of the base's. By default all.",
            json_schema_extra={"uniqueItems": True},
        ),
    ] = None
    max_rounds: Annotated[
        Annotated[int, Field(ge=1)] | SkipJsonSchema[None],
        Field(description="The most answers that it may give; never more than the base may."),
    ] = None

    def changes(self) -> JSONObject:
        """What differs from the base, and the base: `Spawn.spec`, as `kernel.subagents.narrowed` reads it."""
        return self.model_dump(mode="json", exclude={"name"}, exclude_none=True)


class _Schema(GenerateJsonSchema):
    """JSON Schema without titles."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        return False


def spec_schema() -> dict[str, Any]:
    """JSON Schema of an `AgentSpec` whose base goes without saying."""
    schema = AgentSpec.model_json_schema(schema_generator=_Schema)
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    return {
        "type": "object",
        "description": "An agent of your own making, with tools of yours.",
        "properties": {
            # A default says nothing here: what is left out is the base's.
            name: {key: value for key, value in told.items() if key != "default"}
            for name, told in properties.items()
            if name != "base"
        },
        "required": schema["required"],
        "additionalProperties": False,
    }
