"""Landing: what the end of a send means for the leaf that it drove."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from referencing import Registry

from powerloop.kernel.planning import CANCELLED, INCOMPLETE
from powerloop.kernel.sends import Send, SendStatus, StopReason
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.words import explain
from powerloop.workflow.outcomes import Outcome
from powerloop.workflow.spec import AgentNode, HumanNode, Node

#: The codes of leaves that did not come to a value.
OUTPUT_INVALID: Final = "workflow.output_invalid"

_WHY: Final[Mapping[StopReason | None, str]] = {
    StopReason.ROUND_LIMIT: "its rounds were used up",
    StopReason.BUDGET: "its budget was used up",
    StopReason.OUTPUT_LIMIT: "its answer was cut off: it was too long",
    StopReason.REFUSAL: "the model declined to answer",
}

_FENCED: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)


def outcome_of(node: Node, send: Send) -> Outcome:
    """How a leaf ended, now that its send has. What did not come to its end has failed."""
    match send.status:
        case SendStatus.COMPLETED if send.stop_reason is StopReason.END_TURN:
            return _value_of(node, send.text)
        case SendStatus.COMPLETED:
            code = f"budget.{send.stop_reason}" if send.stop_reason is StopReason.BUDGET else INCOMPLETE
            return Outcome.failed(code, _WHY.get(send.stop_reason, f"it stopped: {send.stop_reason}"))
        case SendStatus.FAILED:
            assert send.error is not None
            return Outcome.failed(send.error.code, send.error.message)
        case _:
            reason = send.cancel.reason if send.cancel else ""
            return Outcome.failed(CANCELLED, reason or f"its send was {send.status.value}")


def _value_of(node: Node, text: str) -> Outcome:
    match node:
        case AgentNode(output_schema=schema):
            return Outcome.done(text) if schema is None else _structured(text, schema)
        case HumanNode(answer_schema=schema) if schema is not None and schema.get("type") == "string":
            return Outcome.done(text)
        case _:
            return Outcome.done(_json_or_text(text))


def _structured(text: str, schema: Mapping[str, Any]) -> Outcome:
    fenced = _FENCED.match(text)
    try:
        value = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError) as error:
        return Outcome.failed(OUTPUT_INVALID, f"its answer is no JSON: {error}; it began with {text[:80]!r}")
    validator = Draft202012Validator(schema, registry=Registry())
    if problems := problems_of(validator.iter_errors(value), schema, arguments=False):
        return Outcome.failed(
            OUTPUT_INVALID, f"its answer does not match the schema: {explain(problems, schema)}"
        )
    return Outcome.done(value)


def _json_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON
    """What a tool or a person gave: JSON where it is such, else a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
