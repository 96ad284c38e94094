"""The tool by which a model asks a person."""

from collections.abc import Awaitable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from jsonschema import Draft202012Validator
from pydantic_core import PydanticSerializationError, to_jsonable_python
from referencing import Registry

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.waits import Question
from powerloop.mending.schema import Path
from powerloop.mending.schema_problems import problems_of
from powerloop.mending.valid_schema import schema_problems
from powerloop.mending.words import Problem, explain, given
from powerloop.tools.arguments import Bound, without_nulls
from powerloop.tools.function import FunctionTool
from powerloop.tools.schema_arguments import SchemaArguments
from powerloop.tools.spans import checked_span
from powerloop.tools.spec import make_spec
from powerloop.tools.waiting import MAX_WITHIN

_DESCRIPTION: Final = (
    "Ask the user, and wait for the answer. Ask one thing at a time, and only what a person must know or "
    "decide."
)

_PROPERTIES: Final[Mapping[str, Any]] = {
    "prompt": {"type": "string", "minLength": 1, "description": "The question, in words for the user."},
    "choices": {
        "type": "array",
        "items": {"type": ["string", "number", "boolean"]},
        "minItems": 1,
        "uniqueItems": True,
        "description": "What the user may choose from. Leave it out to take any answer.",
    },
    "schema": {
        "type": "object",
        "description": "JSON Schema that the answer must match. Leave it out to take any answer.",
    },
}


def ask_user(
    *,
    within: timedelta | None = None,
    default: Any = None,  # noqa: ANN401 - any JSON is an answer
    name: str = "ask_user",
    deadlines: bool = False,
) -> FunctionTool[..., Awaitable[Question]]:
    """A tool by which a model asks a person: ``tools=[ask_user()]``.

    The model gives a ``prompt`` and, if it likes, ``choices`` and the JSON ``schema`` of the answer. The send
    waits without a slot until somebody answers (`AsyncPowerLoop.answer`); the answer is the call's result.

    Args:
        within: How long an answer is waited for; by default for ever.
        default: The answer when that time is over, any JSON, whatever the model's schema says; `None`: the
            model is told that nobody answered.
        name: What the model calls it.
        deadlines: Whether the model may give a deadline and a default of its own, ``deadline_seconds``
            (no longer than `within`) and ``default``.

    Raises:
        InvalidInput: `within` is no span of time, or there is a default that would never be used, or it is no
            JSON.
    """
    span = checked_span(within, "within", name)
    if span is not None and span > MAX_WITHIN:
        raise InvalidInput(f"tool {name}: within={within!r} is longer than {MAX_WITHIN.days} days.")
    if default is not None and span is None and not deadlines:
        raise InvalidInput(
            f"tool {name}: the default would never be used, as an answer is waited for for ever.",
            hint="Say within=timedelta(…) too.",
        )
    arguments = _Arguments(_schema(deadlines, span), name, timed=span is not None)
    answer = _json(default, name)

    async def ask(asked: Mapping[str, Any]) -> Question:
        own = asked.get("deadline_seconds")
        return Question(
            prompt=asked["prompt"],
            schema=asked.get("schema"),
            choices=tuple(asked.get("choices", ())),
            within=span if own is None else timedelta(seconds=own),
            default=asked.get("default", answer),
        )

    spec = make_spec(
        name, _DESCRIPTION, arguments.schema, effect=Effect.READ, concurrent=None, timeout=None, approval=None
    )
    return FunctionTool(ask, spec, arguments, takes_context=False, blocking=False)


def _schema(deadlines: bool, longest: timedelta | None) -> dict[str, Any]:
    properties = dict(_PROPERTIES)
    if deadlines:
        properties["deadline_seconds"] = {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": (longest or MAX_WITHIN).total_seconds(),
            "description": "How long to wait for an answer.",
        }
        properties["default"] = {"description": "The answer to go on with when that time is over."}
    return {
        "type": "object",
        "properties": properties,
        "required": ["prompt"],
        "additionalProperties": False,
    }


class _Arguments(SchemaArguments):
    """Checks also that the schema of the answer is one, and that choices and default match it."""

    def __init__(self, schema: Mapping[str, Any], label: str, *, timed: bool) -> None:
        super().__init__(schema, label)
        self._timed = timed

    def check(self, given: Mapping[str, Any]) -> Bound:
        bound = super().check(without_nulls(given))
        if problems := list(_problems(bound.args[0], timed=self._timed)):
            raise ToolArgumentsInvalid(explain(problems, self.schema))
        return bound


def _problems(asked: Mapping[str, Any], *, timed: bool) -> Iterator[Problem]:
    """What the schema of the arguments cannot tell. `timed`: there is a deadline anyway."""
    schema, choices = asked.get("schema"), asked.get("choices", [])
    if "default" in asked and not timed and "deadline_seconds" not in asked:
        yield Problem(("deadline_seconds",), "is missing: without it the default is never used")
    if "default" in asked and choices and asked["default"] not in choices:
        yield Problem(("default",), f"should be one of the choices, not {given(asked['default'])}")
    if schema is None:
        return
    if broken := schema_problems(schema):
        yield from (Problem(("schema", *problem.path), problem.text) for problem in broken)
        return
    validator = Draft202012Validator(schema, registry=Registry())
    answers: list[tuple[Path, Any]] = [(("choices", index), choice) for index, choice in enumerate(choices)]
    answers += [(("default",), asked["default"])] if "default" in asked else []
    for path, answer in answers:
        for problem in problems_of(validator.iter_errors(answer), schema, arguments=False):
            yield Problem((*path, *problem.path), f"{problem.text} (so the schema says)")


def _json(default: object, name: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return to_jsonable_python(default, inf_nan_mode="null")
    except PydanticSerializationError as error:
        raise InvalidInput(f"tool {name}: its default answer is not JSON: {error}.") from error
