"""The toolbox port, over every implementation."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, Finding, ToolCall, ToolOutcome
from powerloop.kernel.errors import ToolError
from powerloop.kernel.ids import CallId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.toolbox import Toolbox
from powerloop.kernel.waits import Question, Spawn, SpawnMode, ToolWait
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.testing.tools import Answer, RecordingToolbox, ScriptedToolbox
from powerloop.tools import AgentToolbox, tool


class Desk:
    """An agent whose tools do the same in every implementation, and a toolbox that carries them out."""

    def __init__(self, make: Callable[["Desk"], Toolbox]) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.toolbox = make(self)

    @property
    def agent(self) -> Agent:
        hang, greet, pay = tool(self.hang), tool(self.greet), tool(self.pay)
        pay.probe(self.paid)
        waiting = (tool(self.ask), tool(self.hire), tool(self.wipe, approval="always"))
        others = (tool(self.nothing), tool(self.boom), tool(self.refuse), hang, pay)
        return make_agent(tools=(greet, *waiting, *others))

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Any:
        call = replace(make_call("c7", name=name), arguments=arguments or {})
        return await self.toolbox.call(self.agent, make_send(), call, **more)

    async def probe(self, name: str, arguments: Mapping[str, Any] | None = None) -> Finding:
        call = replace(make_call("c7", name=name), arguments=arguments or {})
        return await self.toolbox.probe(self.agent, make_send(), call)

    async def approval(
        self, name: str, arguments: Mapping[str, Any] | None = None, **more: Any
    ) -> Question | None:
        call = replace(make_call("c7", name=name), arguments=arguments or {}, **more)
        return await self.toolbox.approval(self.agent, make_send(), call)

    async def greet(self, name: str = "nobody") -> str:
        return f"Hello, {name}!"

    async def nothing(self) -> str:
        return ""

    async def boom(self) -> str:
        raise ValueError("no luck")

    async def refuse(self) -> str:
        raise ToolError("We are closed.", hint="Come back on Monday.")

    async def hang(self) -> str:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return "never"

    async def pay(self, amount: int) -> str:
        return f"paid {amount}"

    async def ask(self) -> Question:
        return QUESTION

    async def hire(self) -> Spawn:
        return SPAWN

    async def wipe(self, disk: str) -> str:
        return f"{disk} is empty"

    async def paid(self, amount: int) -> Finding:
        return PAID


PAID = Finding.done("paid 5")
QUESTION = Question(
    prompt="Which size?",
    schema={"type": "string"},
    choices=("S", "M"),
    within=timedelta(hours=1),
    default="M",
)
SPAWN = Spawn(
    agent="clerk", content=(TextBlock(text="Sort these."),), spec={"tools": []}, mode=SpawnMode.DETACH
)
MAY_I = Question(
    kind=InteractionKind.APPROVAL,
    prompt="support wants to call wipe",
    schema={"type": "object", "required": ["disk"]},
)


def scripted(desk: Desk) -> ScriptedToolbox:
    async def greet(call: ToolCall) -> str:
        return await desk.greet(**call.arguments)

    async def hang(call: ToolCall) -> str:
        return await desk.hang()

    refusal = ToolError("We are closed.", hint="Come back on Monday.")
    answers: dict[str, Answer] = {
        "greet": greet,
        "nothing": "",
        "boom": ValueError("no luck"),
        "refuse": refusal,
        "hang": hang,
        "ask": QUESTION,
        "hire": SPAWN,
    }
    return ScriptedToolbox(answers, findings={"pay": PAID}, approvals={"wipe": MAY_I})


@pytest.fixture(params=["agent", "scripted", "recording"])
def desk(request: pytest.FixtureRequest) -> Desk:
    makers: dict[str, Callable[[Desk], Toolbox]] = {
        "agent": lambda desk: AgentToolbox(),
        "scripted": scripted,
        "recording": lambda desk: RecordingToolbox(AgentToolbox()),
    }
    return Desk(makers[request.param])


async def test_a_call_that_returns_is_done_with_its_text(desk):
    outcome = await desk.call("greet", {"name": "Ann"})

    assert outcome == ToolOutcome(call_id="c7", status=CallStatus.DONE, text="Hello, Ann!")
    assert not outcome.is_error


async def test_a_tool_may_have_nothing_to_say(desk):
    assert (await desk.call("nothing")).text == ""


@pytest.mark.parametrize(("name", "wait"), [("ask", QUESTION), ("hire", SPAWN)])
async def test_a_call_may_wait_instead_of_ending(desk, name, wait):
    assert await desk.call(name) == ToolWait(call_id="c7", wait=wait)


async def test_a_person_is_asked_before_a_call_that_needs_approval(desk):
    question = await desk.approval("wipe", {"disk": "sda"})

    assert question is not None
    assert question.kind is InteractionKind.APPROVAL
    assert "support wants to call wipe" in question.prompt
    assert question.schema is not None
    assert question.schema["required"] == ["disk"]


async def test_nobody_is_asked_twice(desk):
    assert await desk.approval("wipe", {"disk": "sda"}, approved=True) is None
    assert (await desk.call("wipe", {"disk": "sda"})).status is CallStatus.DONE


@pytest.mark.parametrize("name", ["greet", "nobody"])
async def test_nobody_is_asked_where_no_approval_is_needed(desk, name):
    assert await desk.approval(name) is None


async def test_an_unknown_tool_fails_with_the_nearest_name(desk):
    outcome = await desk.call("great")

    assert (outcome.call_id, outcome.status) == ("c7", CallStatus.FAILED)
    assert outcome.text == "there is no tool 'great'. Did you mean 'greet'?"


async def test_a_tool_that_raises_fails_its_call_with_type_and_message(desk):
    outcome = await desk.call("boom")

    assert (outcome.call_id, outcome.status) == ("c7", CallStatus.FAILED)
    assert "boom raised ValueError: no luck" in outcome.text


async def test_a_tool_error_is_told_as_it_stands(desk):
    outcome = await desk.call("refuse")

    assert (outcome.status, outcome.text) == (CallStatus.FAILED, "We are closed. Come back on Monday.")


async def test_malformed_arguments_fail_the_call_before_the_tool_begins(desk):
    outcome = await desk.call("hang", malformed='{"name": ')

    assert outcome.status is CallStatus.FAILED
    assert "JSON" in outcome.text
    assert not desk.begun.is_set()


async def test_cancellation_raises_and_reaches_the_tool(desk):
    call = asyncio.create_task(desk.call("hang"))
    await asyncio.wait_for(desk.begun.wait(), 10)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert desk.ended.is_set()


async def test_calls_run_at_the_same_time(desk):
    hanging = asyncio.create_task(desk.call("hang"))
    await asyncio.wait_for(desk.begun.wait(), 10)

    assert (await asyncio.wait_for(desk.call("greet"), 10)).text == "Hello, nobody!"
    hanging.cancel()
    await asyncio.wait([hanging])


async def test_a_probe_tells_what_became_of_a_call(desk):
    assert await desk.probe("pay", {"amount": 5}) == PAID


@pytest.mark.parametrize("name", ["greet", "nobody"])
async def test_nobody_knows_what_became_of_a_call_without_a_probe(desk, name):
    assert await desk.probe(name) == Finding.unknown()


async def test_doubles_remember_what_was_asked_about():
    inner = ScriptedToolbox(findings={"pay": Finding.not_done()})
    outer = RecordingToolbox(inner)

    assert await Desk(lambda desk: outer).probe("pay", {"amount": 5}) == Finding.not_done()
    assert [asked.call.name for asked in (*outer.probed, *inner.probed)] == ["pay", "pay"]


async def test_a_recording_toolbox_remembers_what_was_asked_and_how_it_ended():
    desk = Desk(lambda desk: RecordingToolbox(scripted(desk)))
    toolbox = desk.toolbox
    assert isinstance(toolbox, RecordingToolbox)

    outcomes = [await desk.call("greet", {"name": "Ann"}), await desk.call("boom", malformed="x")]

    assert [(asked.call.name, asked.malformed) for asked in toolbox.asked] == [("greet", ""), ("boom", "x")]
    assert toolbox.outcomes == outcomes


async def test_a_recording_toolbox_remembers_what_calls_wait_for():
    toolbox = RecordingToolbox(AgentToolbox())

    await Desk(lambda desk: toolbox).call("ask")

    assert (toolbox.waits, toolbox.outcomes) == ([ToolWait(call_id=CallId("c7"), wait=QUESTION)], [])


async def test_a_scripted_toolbox_says_done_for_tools_without_an_answer():
    desk = Desk(lambda desk: ScriptedToolbox())

    assert (await desk.call("greet")).text == "done"
    assert isinstance(desk.toolbox, ScriptedToolbox)
    assert [asked.call.id for asked in desk.toolbox.asked] == ["c7"]
