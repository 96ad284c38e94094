"""Probes: what an author may write, what they are given, and what becomes of those that fail."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import Field

from powerloop.kernel.calls import Effect, Finding
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.tools import Tool, ToolContext, ToolSpec
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.tools import AgentToolbox, schema_tool, tool

SHORT = timedelta(milliseconds=50)
OBJECT = {"type": "object", "properties": {"amount": {"type": "integer"}}}

Ask = Callable[..., Awaitable[Finding]]


@pytest.fixture
def ask(toolbox: AgentToolbox) -> Ask:
    """``await ask(tool, arguments)``: what became of the call."""

    async def ask(tool: Tool, arguments: Mapping[str, Any] | None = None, name: str = "") -> Finding:
        call = replace(make_call(name=name or tool.spec.name), arguments=arguments or {})
        return await toolbox.probe(make_agent(tools=(tool,)), make_send(), call)

    return ask


def make_charge(**options: Any):
    @tool(**options)
    async def charge(amount: Annotated[int, Field(gt=0)], to: str = "shop") -> None:
        raise AssertionError("a probe does not run its tool")

    return charge


async def test_a_probe_gets_the_call_and_the_checked_arguments(ask):
    charge, seen = make_charge(), []

    @charge.probe
    async def charged(context: ToolContext[None], amount: int, to: str) -> Finding:
        seen.append((context.idempotency_key, amount, to))
        return Finding.done("charged 5")

    assert await ask(charge, {"amount": "5"}) == Finding.done("charged 5")
    assert seen == [("send-1:call-1", 5, "shop")]


async def test_a_probe_takes_as_many_of_the_parameters_as_it_needs(ask):
    charge = make_charge()

    @charge.probe
    async def charged(to) -> Finding:
        return Finding.done(to)

    assert await ask(charge, {"amount": 5, "to": "bakery"}) == Finding.done("bakery")


async def test_parameters_are_matched_by_name_wherever_they_stand(ask):
    @tool
    async def move(source: str, target: str, /, amount: int) -> None: ...

    @move.probe
    async def moved(target: str, /, *, amount: int, source: str) -> Finding:
        return Finding.done(f"{amount} from {source} to {target}")

    assert await ask(move, {"source": "a", "target": "b", "amount": 3}) == Finding.done("3 from a to b")


async def test_a_blocking_probe_runs_in_a_thread(ask):
    charge = make_charge()

    @charge.probe
    def charged() -> Finding:
        return Finding.done(threading.current_thread().name)

    assert (await ask(charge, {"amount": 5})).text == "powerloop-tool"


async def test_the_probe_of_a_schema_tool_takes_its_arguments_as_one_dict(ask):
    one = schema_tool("one", "", OBJECT, lambda arguments: None)
    two = schema_tool("two", "", OBJECT, lambda context, arguments: None)
    one.probe(lambda arguments: Finding.done(str(arguments)))
    two.probe(lambda context, arguments: Finding.done(f"{context.call_id} {arguments}"))

    assert (await ask(one, {"amount": 5})).text == "{'amount': 5}"
    assert (await ask(two, {"amount": 5})).text == "call-1 {'amount': 5}"


async def test_nobody_knows_of_a_tool_without_a_probe_or_one_that_is_gone(ask):
    class Foreign:
        spec = ToolSpec(name="foreign", description="", parameters=OBJECT, effect=Effect.ONCE)

        async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str:
            raise AssertionError

    assert await ask(make_charge(), {"amount": 5}) == Finding.unknown()
    assert await ask(Foreign()) == Finding.unknown()
    assert await ask(make_charge(), {"amount": 5}, name="refund") == Finding.unknown()


@pytest.mark.parametrize("arguments", [{"amount": -1}, {}, {"sum": 5}])
async def test_nobody_knows_of_arguments_that_no_longer_fit(ask, arguments, caplog):
    charge = make_charge()
    charge.probe(Finding.not_done)

    assert await ask(charge, arguments) == Finding.unknown()
    assert caplog.records[-1].message == "tool probe failed"


async def hang() -> Finding:
    await asyncio.Event().wait()
    return Finding.not_done()


def boom() -> Finding:
    raise ConnectionError("no line")


async def leave() -> Finding:
    raise SystemExit


async def believe() -> Any:
    return True


@pytest.mark.parametrize("probe", [hang, boom, leave, believe])
async def test_nobody_knows_where_the_probe_fails(ask, probe, caplog):
    charge = make_charge(timeout=SHORT)
    charge.probe(probe)

    assert await ask(charge, {"amount": 5}) == Finding.unknown()

    record = caplog.records[-1]
    assert (record.levelname, record.message, record.tool) == ("ERROR", "tool probe failed", "charge")
    assert (record.call_id, record.exc_info is not None) == ("call-1", True)


async def test_a_probe_that_hangs_in_a_thread_is_given_up(ask):
    charge, gate = make_charge(timeout=SHORT), threading.Event()

    @charge.probe
    def charged() -> Finding:
        gate.wait(30)
        return Finding.not_done()

    assert await asyncio.wait_for(ask(charge, {"amount": 5}), 10) == Finding.unknown()
    gate.set()


async def test_a_probe_has_a_time_where_its_tool_has_none(ask, monkeypatch):
    monkeypatch.setattr("powerloop.tools.finding_out.DEFAULT_TIMEOUT", SHORT)
    charge = make_charge()
    charge.probe(hang)

    assert await asyncio.wait_for(ask(charge, {"amount": 5}), 10) == Finding.unknown()


async def test_a_cancel_cuts_a_probe_off(ask):
    charge, begun = make_charge(), asyncio.Event()

    @charge.probe
    async def charged() -> Finding:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("cannot clean up")

    asking = asyncio.create_task(ask(charge, {"amount": 5}))
    await begun.wait()
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


def test_a_probe_stays_the_function_that_it_is():
    async def charged() -> Finding:
        return Finding.unknown()

    assert make_charge().probe(charged) is charged


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed"])
def test_only_a_tool_that_must_not_run_twice_has_a_probe(effect):
    with pytest.raises(InvalidInput, match=f"(?s)effect is '{effect}'.*Leave the probe out"):
        make_charge(effect=effect).probe(hang)


def test_a_tool_has_one_probe():
    charge = make_charge()
    charge.probe(hang)

    with pytest.raises(InvalidInput, match="has a probe already"):
        charge.probe(boom)


def typed_otherwise(amount: str) -> Finding: ...
def of_a_stranger(amount: int, currency: str) -> Finding: ...
def of_anything(*amount: int) -> Finding: ...
def out_of_place(amount: int, context: ToolContext[None]) -> Finding: ...
async def many():
    yield Finding.unknown()


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (typed_otherwise, "'amount' has another type than the tool's. .*annotate them alike"),
        (of_a_stranger, r"'currency' is not a parameter of the tool. .*any of .* \(amount, to\)"),
        (of_anything, r"\*amount"),
        (out_of_place, "'context' is not a parameter of the tool. .*before them a context: ToolContext"),
        (many, "yields"),
        (Finding, "is a class"),
        (None, "None, not a function"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused_where_it_is_written(function, problem):
    with pytest.raises(InvalidInput, match=f"(?s)tool charge, probe .*{problem}"):
        make_charge().probe(function)


def test_the_probe_of_a_schema_tool_takes_one_dict_or_two_arguments():
    pay = schema_tool("pay", "", OBJECT, lambda arguments: None)

    with pytest.raises(InvalidInput, match=r"tool pay, probe .* does not take"):
        pay.probe(Finding.unknown)
