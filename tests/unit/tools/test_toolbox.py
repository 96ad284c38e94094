"""The agent's toolbox: finding the tool, checking its call, giving it its context, and cancelling it."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import ToolError
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.tools import AgentToolbox, tool


@tool(effect="read")
async def find(order_id: str) -> dict[str, str]:
    return {"order": order_id}


@tool(effect="keyed")
def look_around(context: ToolContext[dict[str, str]]) -> list[Any]:
    return [
        *(context.session_id, context.send_id, context.call_id, context.agent),
        *(context.idempotency_key, context.attempt, context.deps, context.metadata),
    ]


class Foreign:
    """A tool that is not a function tool."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        self.parameters = parameters or {
            "type": "object",
            "properties": {"n": {"type": "integer"}},
            "additionalProperties": False,
        }
        self.calls: list[Mapping[str, Any]] = []

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(name="foreign", description="", parameters=self.parameters, effect=Effect.READ)

    async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str:
        self.calls.append(arguments)
        return f"called with {dict(arguments)}"


async def test_a_call_is_done_with_the_tools_result(run):
    outcome = await run(find, {"order_id": "A-17"})

    assert (outcome.call_id, outcome.status, outcome.text) == ("call-1", CallStatus.DONE, '{"order":"A-17"}')
    assert outcome.full_text is None


async def test_a_tool_knows_the_call_that_it_serves(toolbox):
    agent = replace(make_agent(tools=(look_around,), name="desk"), deps={"db": "x"})
    send = replace(make_send(attempt=3), metadata={"customer": "42"})

    outcome = await toolbox.call(agent, send, make_call("c9", name="look_around"))

    assert outcome.text == ('["session-1","send-1","c9","desk","send-1:c9",3,{"db":"x"},{"customer":"42"}]')


async def test_an_unknown_tool_is_refused_with_the_nearest(toolbox):
    agent = make_agent(tools=(find, look_around))

    outcome = await toolbox.call(agent, make_send(), make_call(name="find_"))

    assert (outcome.status, outcome.text) == (
        CallStatus.FAILED,
        "there is no tool 'find_'. Did you mean 'find'?",
    )


async def test_arguments_that_do_not_fit_never_reach_the_tool(run):
    ran = []

    @tool
    def pay(amount: int) -> None:
        ran.append(amount)

    outcome = await run(pay, {"amount": "all"})

    assert outcome.status is CallStatus.FAILED
    assert "- amount should be a valid integer" in outcome.text
    assert ran == []


async def test_any_other_tool_is_checked_by_its_schema(run):
    foreign = Foreign()

    assert (await run(foreign, {"n": 1})).text == "called with {'n': 1}"
    assert "n should be of type integer" in (await run(foreign, {"n": "1"})).text
    assert "m is not an argument" in (await run(foreign, {"m": 1})).text
    assert foreign.calls == [{"n": 1}]


async def test_a_schema_that_changes_is_followed(run):
    foreign = Foreign()
    await run(foreign, {"n": 1})

    foreign.parameters = {"type": "object", "required": ["m"]}

    assert "m is missing" in (await run(foreign, {"n": 1})).text


async def test_a_tool_with_a_broken_schema_fails_its_calls_only(run, caplog):
    outcome = await run(Foreign({"type": "objekt"}))

    assert outcome.status is CallStatus.FAILED
    assert "its schema is not valid" in outcome.text
    assert caplog.records[-1].levelname == "ERROR"


async def test_a_tool_that_answers_with_no_text_is_shown_as_json(run):
    class Careless(Foreign):
        async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> Any:
            return {"a": 1}

    assert (await run(Careless())).text == '{"a":1}'


async def test_cancellation_passes_through_a_tool(run):
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call = asyncio.create_task(run(hang))
    await begun.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()


async def test_cancellation_passes_through_a_check_that_never_began(run):
    call = asyncio.create_task(run(find, {"order_id": "1"}))
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_timeout_of_the_caller_is_the_callers(run):
    @tool
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await run(hang)


async def test_calls_of_one_toolbox_run_at_the_same_time(run):
    barrier = asyncio.Barrier(3)

    @tool(effect="read")
    async def meet() -> str:
        await barrier.wait()
        return "met"

    outcomes = await asyncio.wait_for(asyncio.gather(*(run(meet) for _ in range(3))), 10)

    assert [outcome.text for outcome in outcomes] == ["met"] * 3


async def test_a_tool_can_be_called_without_a_toolbox(context):
    @tool
    def double(n: int) -> int:
        return 2 * n

    assert await find.call(context, {"order_id": "A-17"}) == '{"order":"A-17"}'
    assert await double.call(context, {"n": "4"}) == "8"
    with pytest.raises(ToolError, match="n is missing"):
        await double.call(context, {})


async def test_a_blocking_tool_does_not_stop_the_loop(run, toolbox):
    ticks = []

    @tool
    def wait_for_ticks() -> str:
        while len(ticks) < 5:
            sys.exc_info()
        return "ticked"

    async def tick() -> None:
        for _ in range(5):
            ticks.append(1)
            await asyncio.sleep(0)

    outcome, _ = await asyncio.wait_for(asyncio.gather(run(wait_for_ticks), tick()), 30)

    assert outcome.text == "ticked"


def test_a_toolbox_needs_nothing_until_it_is_used():
    assert AgentToolbox()
