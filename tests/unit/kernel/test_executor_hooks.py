"""Hooks at work in the executor: what they see, what they change, what they refuse, and what survives."""

import asyncio
from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.driving import Outcome
from powerloop.kernel.hooks import (
    Answer,
    ChangeArguments,
    ChangeInstructions,
    ChangeText,
    Hook,
    Veto,
)
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import ToolCallBlock
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.waits import Question
from powerloop.testing.factories import make_agent


class Witness(Hook):
    """Sees everything, and says nothing."""

    name = "witness"

    def __init__(self):
        self.seen = []

    async def session_start(self, context):
        self.seen.append("session_start")

    async def session_end(self, context):
        self.seen.append(f"session_end {context.ending.status}")

    async def round_start(self, context):
        self.seen.append(f"round_start {context.round}")

    async def round_end(self, context):
        self.seen.append(f"round_end {context.round}")

    async def before_model(self, context):
        self.seen.append("before_model")

    async def after_model(self, context):
        self.seen.append("after_model")

    async def before_tool(self, context):
        self.seen.append(f"before_tool {context.call.name}")

    async def after_tool(self, context):
        self.seen.append(f"after_tool {context.outcome.text}")

    async def before_commit(self, context):
        self.seen.append(f"before_commit {type(context.commit).__name__}")


@pytest.fixture
def at(house, script):
    """A house whose agent has these hooks, and whose model asks for `find` and then answers."""

    def build(*hooks, tools=()):
        here = house(replace(make_agent(tools=(script.tool("find"), *tools)), hooks=hooks))
        here.toolbox.functions["find"] = script.returns("A-17")
        here.model.answers = [script.asks(("c1", "find")), script.says("It is there.")]
        return here

    return build


async def test_a_hook_sees_each_stage_of_a_send_in_order(at):
    witness = Witness()
    here = at(witness)
    assert await here.executor().drive(await here.accept()) is Outcome.ENDED
    assert witness.seen == [
        *("session_start", "round_start 1", "before_model", "after_model", "before_commit ModelCommit"),
        *("before_tool find", "after_tool A-17", "before_commit ResultsCommit", "round_end 1"),
        *("round_start 2", "before_model", "after_model", "round_end 2", "before_commit Ending"),
        "session_end completed",
    ]


async def test_a_hook_changes_what_the_model_is_told_and_what_it_sees_of_a_tool(at):
    class Editor(Hook):
        name = "editor"

        async def session_start(self, context):
            return ChangeInstructions(context.instructions + " Be brief.")

        async def after_tool(self, context):
            return ChangeText("[redacted]")

    here = at(Editor())
    await here.executor().drive(await here.accept())
    assert here.model.requests[0].system.endswith("Be brief.")
    assert "tool: [redacted]" in await here.log()


async def test_a_vetoed_call_is_not_run_and_stays_vetoed_after_a_crash(at, script, eventually):
    class Guard(Hook):
        name = "guard"

        async def before_tool(self, context):
            return Veto("not on my watch")

    here = at(Guard())
    here.model.answers = [script.asks(("c1", "find")), script.hang, script.says("Then not.")]
    send_id, dead = await here.accept(), here.executor()
    drive = asyncio.create_task(dead.drive(send_id))
    await eventually(lambda: len(here.model.requests) == 2, "the model is told")
    dead.abandon()
    await drive
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == []
    [call] = await here.store.journal.load_calls(send_id)
    assert call.status is CallStatus.FAILED
    assert "not on my watch" in call.result


async def test_a_call_that_must_not_run_twice_is_refused_before_it_is_written_down_as_running(at, script):
    class Guard(Hook):
        name = "guard"

        async def before_tool(self, context):
            return Veto("no")

    here = at(Guard(), tools=(script.tool("pay", Effect.ONCE, concurrent=False),))
    here.model.answers = [script.asks(("c1", "pay")), script.says("Then not.")]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    [call] = await here.store.journal.load_calls(send_id)
    assert (call.status, call.started_at) == (CallStatus.FAILED, None)


async def test_changed_arguments_are_what_the_tool_gets(at, script):
    class Rounder(Hook):
        name = "rounder"

        async def before_tool(self, context):
            return ChangeArguments({"amount": 90})

    here, got = at(Rounder()), []

    async def find(call):
        got.append(call.arguments)
        return "found"

    here.toolbox.functions["find"] = find
    asked = script.asks(("c1", "find"))
    block = ToolCallBlock(id="c1", name="find", arguments={"amount": 91})
    here.model.answers = [replace(asked, content=(block,)), script.says("Done.")]
    await here.executor().drive(await here.accept())
    assert got == [{"amount": 90}]
    assert "tool: found" in await here.log()


async def test_an_observer_that_raises_changes_nothing(at):
    class Clumsy(Hook):
        name = "clumsy"

        async def before_tool(self, context):
            raise RuntimeError("oops")

        async def after_model(self, context):
            raise RuntimeError("oops")

    here = at(Clumsy())
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).text == "It is there."


async def test_a_guard_that_raises_stops_the_call_and_a_stage_of_the_send_fails_it(at):
    class Careful(Hook):
        name = "careful"
        guard = True

        def __init__(self, stage):
            self.stage = stage

        async def before_tool(self, context):
            if self.stage == "tool":
                raise RuntimeError("cannot tell")

        async def before_model(self, context):
            if self.stage == "model":
                raise RuntimeError("cannot tell")

    here = at(Careful("tool"))
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert here.toolbox.called == []
    assert (await here.send(send_id)).status is SendStatus.COMPLETED

    here = at(Careful("model"))
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert (send.status, send.error.code) == (SendStatus.FAILED, "hook.failed")
    assert here.model.requests == []


async def test_a_veto_of_an_answer_keeps_what_it_cost(at):
    class Censor(Hook):
        name = "censor"

        async def after_model(self, context):
            return Veto("unfit to print")

    here = at(Censor())
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert (send.status, send.error.code) == (SendStatus.FAILED, "hook.veto")
    assert send.usage.total_tokens > 0


async def test_a_hook_answers_in_place_of_a_person(at, script):
    class Deputy(Hook):
        name = "deputy"

        async def interaction(self, context):
            if context.question.kind is InteractionKind.APPROVAL:
                return Answer({"action": "approve"})
            return Answer("large")

    async def ask(call):
        return Question(prompt="Which size?")

    here = at(Deputy(), tools=(script.tool("ask"),))
    here.toolbox.functions["ask"] = ask
    here.toolbox.approvals["find"] = Question(kind=InteractionKind.APPROVAL, prompt="May it?")
    here.model.answers = [script.asks(("c1", "ask"), ("c2", "find")), script.says("Done.")]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    results = {call.id: call.result for call in await here.store.journal.load_calls(send_id)}
    assert results == {"c1": "large", "c2": "A-17"}
    assert await here.store.interactions.list(status=None) == []
