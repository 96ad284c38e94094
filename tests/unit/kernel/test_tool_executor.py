"""Calls that have a queue of their own: how they leave the send, run, and come back to it."""

from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.dispatch import Kind
from powerloop.kernel.driving import Outcome
from powerloop.kernel.hooks import Hook, Veto
from powerloop.kernel.ids import TaskId
from powerloop.kernel.limits import TreeLimits
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.waits import Question, Spawn
from powerloop.testing.factories import make_agent
from tests.unit.kernel.elsewhere import BROWSER, build, call_of, published, queued, serve, tools


@pytest.fixture
def here(house, script):
    return build(house, script, make_agent(tools=tools(script)))


@pytest.fixture
def elsewhere(here):
    return serve(here)


async def test_a_call_leaves_for_its_queue_and_its_result_brings_the_send_back(here, script, elsewhere):
    send_id, [task_id] = await queued(here, script, ("c1", "browse"), ("c2", "find"))
    assert here.toolbox.called == ["c2"]
    assert (await here.send(send_id)).status is SendStatus.WAITING
    assert await elsewhere.executor.drive(task_id) is Outcome.ENDED
    assert [one.id for one in here.recorder.published] == [send_id]
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.log())[-2:] == ["tool: seen A-17", "assistant: Done."]


async def test_monitors_see_the_tool_and_no_id_as_its_name(here, script):
    here.model.answers = [script.asks(("c1", "browse"))]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    (told,) = [one for one in here.recorder.published if one.kind is Kind.TOOL]
    assert (told.actor, told.queue, told.first) == ("browse", BROWSER, True)
    assert (told.root_id, told.parent_id) == (send_id, send_id)
    assert told.ids == f"session=session-1 send={send_id} call=c1"


async def test_a_second_message_finds_nothing_to_do(here, script, elsewhere):
    _, [task_id] = await queued(here, script, ("c1", "browse"))
    await elsewhere.executor.drive(task_id)
    assert await elsewhere.executor.drive(task_id) is Outcome.NOT_OURS
    assert await elsewhere.executor.drive(TaskId("nobody")) is Outcome.NOT_OURS
    assert elsewhere.toolbox.called == ["c1"]


async def test_a_call_that_must_run_alone_waits_for_those_on_queues(here, script, elsewhere):
    send_id, first = await queued(here, script, ("c1", "browse"), ("c2", "pay"), ("c3", "browse"))
    assert [(await here.store.tool_tasks.find(one)).call_id for one in first] == ["c1"]
    await elsewhere.executor.drive(first[0])
    for expected in ("c2", "c3"):
        here.recorder.published.clear()
        assert await here.executor().drive(send_id) is Outcome.WAITING
        (task_id,) = published(here)
        assert (await here.store.tool_tasks.find(task_id)).call_id == expected
        await elsewhere.executor.drive(task_id)
    assert await here.executor().drive(send_id) is Outcome.ENDED


async def test_a_tool_on_a_queue_may_ask_a_person(here, script, elsewhere):
    async def ask(call):
        return Question(prompt="Which page?")

    elsewhere.toolbox.functions["browse"] = ask
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    assert await elsewhere.executor.drive(task_id) is Outcome.ENDED
    [question] = await here.store.interactions.list()
    assert (await here.store.interactions.answer(question.id, "the first")).ready.id == send_id
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.log())[-2:] == ["tool: the first", "assistant: Done."]


async def test_hooks_see_and_change_what_a_call_on_a_queue_came_to(house, script):
    class Watch(Hook):
        name = "watch"

        async def after_tool(self, context):
            return Veto("nothing to see")

    here = build(house, script, replace(make_agent(tools=tools(script)), hooks=(Watch(),)))
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    await serve(here).executor.drive(task_id)
    call = await call_of(here, send_id)
    assert (call.status, "nothing to see" in call.result) == (CallStatus.FAILED, True)


async def test_a_worker_that_does_not_know_the_agent_fails_the_call_in_words(here, script):
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    here.agents = type(here.agents)(())
    await serve(here).executor.drive(task_id)
    call = await call_of(here, send_id)
    assert (call.status, "support" in call.result) == (CallStatus.FAILED, True)


async def test_a_vanished_outcome_is_no_outcome(here, script, elsewhere):
    """The last word on a call is the journal's: one that has ended meanwhile is not run."""
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    ended = ToolOutcome(call_id=(await call_of(here, send_id)).id, status=CallStatus.DONE, text="before")
    here.store.state.end_calls(send_id, (ended,))
    assert await elsewhere.executor.drive(task_id) is Outcome.NOT_OURS
    assert elsewhere.toolbox.called == []


async def test_a_tool_on_a_queue_starts_no_sub_agent_that_is_nested_too_deeply(house, script):
    async def delegate(call):
        return Spawn(agent="support", content=(TextBlock(text="You do it."),))

    here = build(house, script, replace(make_agent(tools=tools(script)), tree=TreeLimits(depth=0)))
    elsewhere = serve(here)
    elsewhere.toolbox.functions["browse"] = delegate
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    await elsewhere.executor.drive(task_id)
    call = await call_of(here, send_id)
    assert (call.status, "nested deeper than 0" in call.result) == (CallStatus.FAILED, True)


async def test_tools_on_queues_start_no_more_sub_agents_than_a_round_may_have(house, script):
    async def delegate(call):
        return Spawn(agent="support", content=(TextBlock(text="You do it."),))

    here = build(house, script, replace(make_agent(tools=tools(script)), tree=TreeLimits(breadth=1)))
    elsewhere = serve(here)
    elsewhere.toolbox.functions["browse"] = delegate
    send_id, task_ids = await queued(here, script, ("c1", "browse"), ("c2", "browse"))
    for task_id in task_ids:
        await elsewhere.executor.drive(task_id)
    calls = await here.store.journal.load_calls(send_id)
    assert [call.status for call in calls] == [CallStatus.WAITING, CallStatus.FAILED]
    assert "may start 1 sub-agents" in calls[1].result
