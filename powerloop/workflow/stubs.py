"""Stub answers: the smallest value that a JSON Schema allows, more or less."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from powerloop.workflow.beginning import AgentWork, HumanWork, SubflowWork, ToolWork, WaitWork, Work
from powerloop.workflow.outcomes import Outcome

#: Items of a list whose length the schema leaves open: enough to see that there are several.
_ITEMS: Final = 2
_DEPTH: Final = 8


def stub_for(work: Work, name: str) -> Outcome:
    """What a leaf comes to in a dry run.

    Args:
        work: What it would do.
        name: What it is called in texts.
    """
    match work:
        case WaitWork():
            value: Any = None
        case ToolWork(tool=done) | SubflowWork(name=done):
            value = f"[result of {done}]"
        case HumanWork(choices=choices) if choices:
            value = choices[0]
        case AgentWork(output_schema=schema) | HumanWork(schema=schema):
            value = f"[answer of {name}]" if schema is None else stub_of(schema)
    return Outcome.done(value)


def stub_of(schema: Mapping[str, Any], depth: int = _DEPTH) -> Any:  # noqa: ANN401 - any JSON
    """A value that the schema describes, as far as its types, enums and required keys say."""
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), Sequence) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), Sequence) and schema[key] and isinstance(schema[key][0], Mapping):
            return stub_of(schema[key][0], depth - 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    return _of_kind(str(kind), schema, depth)


def _of_kind(kind: str, schema: Mapping[str, Any], depth: int) -> Any:  # noqa: ANN401 - any JSON
    match kind:
        case "object" if depth > 0:
            inner = schema.get("properties", {})
            return {key: stub_of(one, depth - 1) for key, one in inner.items() if isinstance(one, Mapping)}
        case "array" if depth > 0:
            items = schema.get("items")
            count = max(int(schema.get("minItems", 0)), min(_ITEMS, int(schema.get("maxItems", _ITEMS))))
            return [stub_of(items if isinstance(items, Mapping) else {}, depth - 1) for _ in range(count)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "…"
