"""Sends whose calls wait for people: what is asked, what waits, and how they go on."""

from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.driving import Outcome
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import ToolCallBlock
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.waits import Question
from powerloop.testing.factories import make_agent

APPROVAL = Question(kind=InteractionKind.APPROVAL, prompt="May it pay?")


def asking(prompt="Which size?", **more):
    async def tool(call):
        return Question(prompt=prompt, **more)

    return tool


@pytest.fixture
def here(house, script):
    tools = (script.tool("ask"), script.tool("find"), script.tool("pay", Effect.ONCE, concurrent=False))
    here = house(make_agent(tools=tools))
    here.toolbox.functions.update(ask=asking(), find=script.returns("A-17"), pay=script.returns("paid"))
    return here


async def only_question(here):
    [question] = await here.store.interactions.list()
    return question


async def test_a_question_suspends_the_send_and_its_answer_is_the_result(here, script):
    here.model.answers = [script.asks(("c1", "ask")), script.says("Large it is.")]
    send_id, executor = await here.accept(), here.executor()
    assert await executor.drive(send_id) is Outcome.WAITING
    assert (await here.send(send_id)).status is SendStatus.WAITING
    question = await only_question(here)
    assert (question.kind, question.prompt, question.tool) == (InteractionKind.INPUT, "Which size?", "ask")
    answered = await here.store.interactions.answer(question.id, {"size": "large"})
    assert answered.ready.id == send_id
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert (await here.log())[-2:] == ['tool: {"size": "large"}', "assistant: Large it is."]
    assert len(here.toolbox.called) == 1


async def test_calls_that_need_not_wait_have_ended_before_the_send_waits(here, script):
    here.model.answers = [script.asks(("c1", "ask"), ("c2", "find"), ("c3", "pay")), script.says("Done.")]
    send_id, executor = await here.accept(), here.executor()
    assert await executor.drive(send_id) is Outcome.WAITING
    calls = {call.id: call.status for call in await here.store.journal.load_calls(send_id)}
    assert calls == {"c1": CallStatus.WAITING, "c2": CallStatus.DONE, "c3": CallStatus.DONE}
    await here.store.interactions.answer((await only_question(here)).id, "M")
    assert await executor.drive(send_id) is Outcome.ENDED
    assert (await here.log())[-2:] == ["tool: M A-17 paid", "assistant: Done."]


async def test_two_questions_of_one_round_wake_the_send_once(here, script):
    here.model.answers = [script.asks(("c1", "ask"), ("c2", "ask")), script.says("Done.")]
    send_id, executor = await here.accept(), here.executor()
    assert await executor.drive(send_id) is Outcome.WAITING
    first, second = await here.store.interactions.list()
    assert (await here.store.interactions.answer(first.id, "M")).ready is None
    assert (await here.store.interactions.answer(second.id, "L")).ready.id == send_id
    assert await executor.drive(send_id) is Outcome.ENDED


async def test_a_send_that_is_woken_before_its_time_waits_on(here, script):
    here.model.answers = [script.asks(("c1", "ask")), script.says("Done.")]
    send_id, executor = await here.accept(), here.executor()
    await executor.drive(send_id)
    state = here.store.sends._state
    state.make_ready(state.sends[send_id], status=SendStatus.QUEUED, owner=None)
    assert await executor.drive(send_id) is Outcome.WAITING
    assert len(await here.store.interactions.list()) == 1
    assert len(here.toolbox.called) == 1


async def test_a_call_that_needs_approval_runs_once_it_is_approved(here, script):
    here.toolbox.approvals["pay"] = APPROVAL
    here.model.answers = [script.asks(("c1", "pay")), script.says("Paid.")]
    send_id, executor = await here.accept(), here.executor()
    assert await executor.drive(send_id) is Outcome.WAITING
    assert here.toolbox.called == []
    question = await only_question(here)
    assert (question.kind, question.tool) == (InteractionKind.APPROVAL, "pay")
    await here.store.interactions.answer(question.id, {"action": "approve"})
    assert await executor.drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == ["c1"]
    assert (await here.log())[-2:] == ["tool: paid", "assistant: Paid."]


async def test_a_person_may_change_the_arguments_and_the_model_is_told(here, script):
    seen = []

    async def pay(call):
        seen.append(call.arguments)
        return "paid"

    here.toolbox.functions["pay"] = pay
    here.toolbox.approvals["pay"] = APPROVAL
    asked = script.asks(("c1", "pay"))
    block = ToolCallBlock(id="c1", name="pay", arguments={"amount": 900})
    here.model.answers = [replace(asked, content=(block,)), script.says("Paid.")]
    send_id, executor = await here.accept(), here.executor()
    await executor.drive(send_id)
    question = await only_question(here)
    assert question.arguments == {"amount": 900}
    await here.store.interactions.answer(question.id, {"action": "edit", "arguments": {"amount": 90}})
    assert await executor.drive(send_id) is Outcome.ENDED
    assert seen == [{"amount": 90}]
    assert 'changed the arguments to {"amount": 90}]\npaid' in (await here.log())[-2]


async def test_a_person_may_deny_and_the_model_sees_why(here, script):
    here.toolbox.approvals["pay"] = APPROVAL
    here.model.answers = [script.asks(("c1", "pay")), script.says("Then not.")]
    send_id, executor = await here.accept(), here.executor()
    await executor.drive(send_id)
    denial = {"action": "deny", "reason": "too dear"}
    await here.store.interactions.answer((await only_question(here)).id, denial)
    assert await executor.drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == []
    assert "did not allow this call. The reason: too dear" in (await here.log())[-2]


async def test_a_cancel_ends_a_send_that_waits_and_withdraws_the_question(here, script):
    here.model.answers = [script.asks(("c1", "ask"), ("c2", "find"))]
    send_id, executor = await here.accept(), here.executor()
    await executor.drive(send_id)
    question = await only_question(here)
    await here.cancel(send_id)
    assert await executor.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert (await here.store.interactions.find(question.id)).status == "withdrawn"
    statuses = [call.status for call in await here.store.journal.load_calls(send_id)]
    assert statuses == [CallStatus.CANCELLED, CallStatus.DONE]


async def test_a_crash_before_the_question_is_written_asks_it_once(here, script, monkeypatch):
    here.model.answers = [script.asks(("c1", "ask")), script.says("Done.")]
    send_id, dead = await here.accept(), here.executor()
    suspend = here.store.journal.suspend

    async def dies(fence, suspension):
        dead.abandon()
        return await suspend(replace(fence, epoch=fence.epoch - 1), suspension)

    monkeypatch.setattr(here.store.journal, "suspend", dies)
    assert await dead.drive(send_id) is Outcome.LOST
    monkeypatch.undo()
    here.leases.held(here.worker)
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.WAITING
    assert len(await here.store.interactions.list()) == 1
