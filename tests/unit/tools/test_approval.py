"""Approvals: of which calls people are asked, what, and that nothing runs where nobody can tell."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InvalidInput, ToolArgumentsInvalid
from powerloop.kernel.interactions import InteractionKind, resolve
from powerloop.kernel.tools import Approval, ToolContext, ToolSpec
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.tools import AgentToolbox, schema_tool, tool


async def pay(amount: int, to: str = "nobody", day: date = date(2026, 1, 1)) -> str:
    return f"paid {amount}"


Ask = Callable[..., Any]


@pytest.fixture
def ask(toolbox: AgentToolbox) -> Ask:
    """``await ask(tool, arguments)``: what a person is asked before the call runs."""

    async def ask(tool, arguments: Mapping[str, Any], **more: Any):
        agent = replace(make_agent(tools=(tool,)), deps={"limit": 100})
        call = replace(make_call(name=tool.spec.name), arguments=arguments, **more)
        return await toolbox.approval(agent, make_send(), call)

    return ask


async def test_nobody_is_asked_by_default(ask):
    assert tool(pay).spec.approval is None
    assert await ask(tool(pay, approval="never"), {"amount": 5}) is None


async def test_a_person_is_asked_who_wants_what(ask):
    paying = tool(pay, approval="always")

    question = await ask(paying, {"amount": 5, "to": "Zoë"})

    who, _, what = question.prompt.partition("\n")
    assert who == "support wants to call pay with"
    assert json.loads(what) == {"amount": 5, "to": "Zoë"}
    assert "Zoë" in what
    assert question.kind is InteractionKind.APPROVAL
    assert question.schema == paying.spec.parameters
    assert (question.within, question.default) == (None, None)


async def test_nobody_is_asked_of_what_a_person_has_allowed(ask):
    assert await ask(tool(pay, approval="always"), {"amount": 5}, approved=True) is None


@pytest.mark.parametrize("arguments", [{}, {"amount": "much"}, {"amount": 5, "tip": 1}])
async def test_nobody_is_asked_of_arguments_that_do_not_fit(ask, arguments):
    assert await ask(tool(pay, approval="always"), arguments) is None
    assert await ask(tool(pay, approval=lambda arguments: True), arguments) is None


async def test_a_rule_decides_by_the_arguments_as_the_tool_takes_them(ask):
    seen = []

    def rule(arguments):
        seen.append(arguments)
        return arguments["amount"] > 100

    paying = tool(pay, approval=rule)

    assert await ask(paying, {"amount": "100"}) is None
    assert await ask(paying, {"amount": 101}) is not None
    assert seen[0] == {"amount": 100, "to": "nobody", "day": date(2026, 1, 1)}


async def test_a_rule_may_ask_for_the_context(ask):
    async def rule(context, arguments):
        await asyncio.sleep(0)
        return arguments["amount"] > context.deps["limit"]

    paying = tool(pay, approval=rule)

    assert await ask(paying, {"amount": 100}) is None
    assert await ask(paying, {"amount": 101}) is not None


async def test_a_rule_may_say_what_to_ask(ask):
    paying = tool(pay, approval=lambda arguments: f"May I pay {arguments['amount']}?")

    assert (await ask(paying, {"amount": 7})).prompt == "May I pay 7?"


async def test_a_rule_may_not_change_the_call(ask):
    def rule(arguments):
        arguments["amounts"].append(0)
        return False

    async def count(arguments):
        return len(arguments["amounts"])

    counting = schema_tool("count", "", {"type": "object"}, count, approval=rule)
    arguments = {"amounts": [1]}

    assert await ask(counting, arguments) is None
    assert arguments == {"amounts": [1]}


def broken(arguments):
    return arguments["tip"]


def forgetful(arguments):
    return None


def refusing(arguments):
    raise ToolArgumentsInvalid("No.")


def leaving(arguments):
    raise SystemExit


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (broken, "KeyError"),
        (forgetful, "TypeError"),
        (lambda arguments: 1, "TypeError"),
        (lambda arguments: "", "TypeError"),
        (refusing, "ToolArgumentsInvalid"),
        (leaving, "SystemExit"),
    ],
)
async def test_where_a_rule_cannot_tell_a_person_is_asked_and_told_so(ask, caplog, rule, kind):
    question = await ask(tool(pay, approval=rule), {"amount": 5})

    assert question.prompt.startswith("support wants to call pay")
    assert question.prompt.endswith(f"could not: {kind}.)")
    assert (caplog.records[-1].message, caplog.records[-1].tool) == ("approval rule failed", "pay")


async def test_a_rule_that_hangs_is_given_up_and_a_person_asked(ask, monkeypatch):
    monkeypatch.setattr("powerloop.tools.asking.RULE_TIMEOUT", timedelta(milliseconds=10))

    async def hang(arguments):
        await asyncio.Event().wait()

    assert "could not: TimeoutError" in (await ask(tool(pay, approval=hang), {"amount": 5})).prompt


async def test_a_cancellation_passes_through_a_rule(ask):
    begun = asyncio.Event()

    async def hang(arguments):
        begun.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(ask(tool(pay, approval=hang), {"amount": 5}))
    await begun.wait()
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_call_that_nobody_answers_in_time_is_denied(ask):
    question = await ask(tool(pay, approval="always", approval_within=timedelta(hours=1)), {"amount": 5})

    assert question.within == timedelta(hours=1)
    denied = resolve(question.kind, question.default)
    assert denied.status is CallStatus.FAILED
    assert denied.text.endswith("The reason: nobody answered in time")


async def test_a_tool_of_any_kind_may_need_approval(ask):
    class Foreign:
        spec = ToolSpec(
            name="foreign",
            description="",
            parameters={"type": "object", "properties": {"n": {"type": "integer"}}},
            effect=Effect.READ,
            approval=Approval(rule=lambda arguments: arguments["n"] > 1),
        )

        async def call(self, context: ToolContext[Any], arguments: Mapping[str, Any]) -> str:
            return ""

    assert await ask(Foreign(), {"n": 1}) is None
    assert await ask(Foreign(), {"n": 2}) is not None
    assert await ask(Foreign(), {"n": "2"}) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"approval": "allways"}, "no approval 'allways'.*Did you mean 'always'"),
        ({"approval": True}, "no approval True"),
        ({"approval": lambda: True}, r"does not take \(arguments\)"),
        ({"approval": dict}, "is a class"),
        ({"approval_within": timedelta(hours=1)}, "of no use"),
        ({"approval": "always", "approval_within": 60}, "approval_within=60 is not a span"),
        ({"approval": "always", "approval_within": timedelta(0)}, "is not a span"),
    ],
)
def test_an_approval_that_is_none_is_refused(options, words):
    with pytest.raises(InvalidInput, match=words):
        tool(pay, **options)
    with pytest.raises(InvalidInput, match=words):
        schema_tool("pay", "", {"type": "object"}, lambda arguments: "", **options)
