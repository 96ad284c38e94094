"""What a tool says that its call waits for: checked, and made JSON, before anything is written down."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_jsonable_python

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.errors import ToolRaised
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.subagents import SPEC_FIELDS
from powerloop.kernel.waits import Question, RunWorkflow, Sleep, Spawn, Wait
from powerloop.mending.valid_schema import schema_problems
from powerloop.mending.words import place

#: Longer than anybody waits, and a date that every database has.
MAX_WITHIN: Final = timedelta(days=3650)


def checked_wait(wait: Wait) -> Wait:
    """The wait, as it can be written down: its values are plain JSON.

    Raises:
        ToolRaised: nobody could answer such a question, or start such an agent. All reasons are told.
    """
    try:
        plain = _plain(wait)
    except (PydanticSerializationError, RecursionError, TypeError, ValueError) as error:
        raise _refusal([f"it is not JSON ({error})"]) from error
    if problems := list(_problems(plain)):
        raise _refusal(problems)
    return plain


def _plain(wait: Wait) -> Wait:
    if isinstance(wait, Spawn):
        return replace(wait, content=tuple(wait.content), spec=_json(wait.spec))
    if isinstance(wait, RunWorkflow):
        return replace(wait, spec=_json(wait.spec), input=_json(wait.input))
    if isinstance(wait, Sleep):
        return replace(wait, result=clean_text(wait.result))
    return replace(
        wait,
        prompt=clean_text(wait.prompt),
        schema=_json(wait.schema),
        choices=tuple(_json(choice) for choice in wait.choices),
        default=_json(wait.default),
    )


def _json(value: object) -> Any:  # noqa: ANN401 - any JSON
    return to_jsonable_python(value, inf_nan_mode="null")


def _problems(wait: Wait) -> Iterator[str]:
    match wait:
        case Question():
            yield from _question_problems(wait)
        case Spawn():
            yield from _spawn_problems(wait)
        case Sleep():
            yield from _sleep_problems(wait)
        case RunWorkflow():
            # Checked by the tool: no other returns it.
            pass


def _question_problems(question: Question) -> Iterator[str]:
    if question.kind is not InteractionKind.INPUT:
        yield f"a tool asks for input, not {question.kind} (for that there is @tool(approval=…))"
    if not question.prompt.strip():
        yield "its prompt is empty"
    if question.within is not None and not timedelta(0) < question.within <= MAX_WITHIN:
        yield f"within={question.within!r} is no span of time up to {MAX_WITHIN.days} days"
    if question.schema is not None:
        for problem in schema_problems(question.schema):
            yield f"its schema is not valid: {place(problem.path)} {problem.text}"


def _spawn_problems(spawn: Spawn) -> Iterator[str]:
    if not 1 <= len(spawn.agent) <= MAX_AGENT_NAME_LENGTH:
        yield f"the agent's name has 1 to {MAX_AGENT_NAME_LENGTH} characters, not {len(spawn.agent)}"
    if not spawn.content:
        yield "the agent's input is empty"
    for key in sorted(set(spawn.spec or ()) - SPEC_FIELDS):
        yield f"a spec has no {key!r}; it may have {', '.join(sorted(SPEC_FIELDS))}"


def _sleep_problems(sleep: Sleep) -> Iterator[str]:
    if (sleep.lasts is None) == (sleep.until is None):
        yield "it sleeps either for a span of time or until an instant"
    if sleep.lasts is not None and not timedelta(0) < sleep.lasts <= MAX_WITHIN:
        yield f"lasts={sleep.lasts!r} is no span of time up to {MAX_WITHIN.days} days"
    if sleep.until is not None and sleep.until.tzinfo is None:
        yield f"until={sleep.until!r} does not say in which time zone"
    elif sleep.until is not None and sleep.until - datetime.now(UTC) > MAX_WITHIN:
        yield f"until={sleep.until!r} is more than {MAX_WITHIN.days} days away"


def _refusal(problems: list[str]) -> ToolRaised:
    return ToolRaised(
        f"The tool ran, but it cannot be waited for what it asks: {'; '.join(problems)}.",
        hint="Do not call it again in the same way.",
    )
