"""Calls that wait: what a tool may return instead of a result, and what it may not."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from enum import Enum
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.kernel.waits import ToolWait
from powerloop.tools import AgentToolbox, Question, Spawn, schema_tool, tool

ASKING = Question(prompt="Which size?", choices=("S", "M"), within=timedelta(days=1), default="M")


def returning(value):
    @tool(effect="read")
    async def wait() -> Any:
        return value

    return wait


async def test_a_function_that_returns_a_question_makes_its_call_wait(run):
    assert await run(returning(ASKING)) == ToolWait(call_id="call-1", wait=ASKING)


async def test_a_blocking_function_may_wait_too(run):
    @tool(effect="read", timeout=timedelta(minutes=1))
    def wait() -> Question:
        return ASKING

    assert (await run(wait)).wait == ASKING


async def test_a_handler_may_wait(run):
    spawn = Spawn(agent="clerk", content=(TextBlock(text="go"),))
    hire = schema_tool("hire", "", {"type": "object"}, lambda arguments: spawn, effect="read")

    assert (await run(hire)).wait == spawn


async def test_any_other_tool_may_wait(run):
    class Foreign:
        spec = ToolSpec(name="foreign", description="", parameters={"type": "object"}, effect=Effect.READ)

        async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> Question:
            return ASKING

    assert (await run(Foreign())).wait == ASKING


async def test_what_is_waited_for_is_not_cut(run):
    long = replace(ASKING, prompt="Really? " * 100)

    assert (await run(returning(long), box=AgentToolbox(result_cap=200))).wait == long


async def test_a_call_without_a_toolbox_returns_what_it_waits_for(context):
    assert await returning(ASKING).call(context, {}) is ASKING


async def test_choices_and_defaults_are_made_json(run):
    class Size(Enum):
        SMALL = "S"

    question = Question(
        prompt="x\x00", choices=(Size.SMALL, date(2026, 1, 2)), default={"day": date(2026, 1, 2)}
    )

    wait = (await run(returning(question))).wait

    assert (wait.prompt, wait.choices) == ("x\N{REPLACEMENT CHARACTER}", ("S", "2026-01-02"))
    assert wait.default == {"day": "2026-01-02"}


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (replace(ASKING, prompt=" "), "prompt is empty"),
        (replace(ASKING, kind=InteractionKind.APPROVAL), "approval"),
        (replace(ASKING, kind=InteractionKind.IN_DOUBT), "not in_doubt"),
        (replace(ASKING, within=timedelta(0)), "no span of time"),
        (replace(ASKING, within=timedelta(days=4000)), "no span of time"),
        (replace(ASKING, schema={"properties": {"a": {"type": "strin"}}}), "properties.a.type.*'string'"),
        (replace(ASKING, schema={"$ref": "http://x.invalid/"}), "points nowhere"),
        (replace(ASKING, default=object()), "is not JSON"),
        (Spawn(agent="", content=(TextBlock(text="go"),)), "name has 1 to"),
        (Spawn(agent="clerk", content=()), "input is empty"),
        (Spawn(agent="clerk", content=(TextBlock(text="go"),), spec={"deps": 1}), "no 'deps'.*may have base"),
    ],
)
async def test_what_nobody_could_end_is_not_waited_for(run, wait, words):
    outcome = await run(returning(wait))

    assert outcome.status is CallStatus.FAILED
    assert "cannot be waited for" in outcome.text
    assert re.search(words, outcome.text)


async def test_everything_wrong_with_a_question_is_told_at_once(run):
    outcome = await run(returning(Question(prompt="", within=timedelta(0), schema={"type": 3})))

    assert all(words in outcome.text for words in ("prompt", "within", "type should be"))
