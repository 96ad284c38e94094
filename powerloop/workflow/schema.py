"""The JSON Schema of workflows, as it is published."""

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from powerloop.workflow.spec import WorkflowSpec

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Untitled(GenerateJsonSchema):
    """Without titles, which say what the keys say."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        return False


def workflow_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a `WorkflowSpec`. References and sizes it cannot tell: `parse` does."""
    schema = WorkflowSpec.model_json_schema(by_alias=True, schema_generator=_Untitled)
    # A workflow may hold others, so pydantic refers to it even at the top.
    top = schema["$defs"][WorkflowSpec.__name__]
    return {"$schema": _DIALECT, **top, "$defs": schema["$defs"]}
