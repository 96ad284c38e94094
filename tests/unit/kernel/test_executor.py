import asyncio
import logging

import pytest

from powerloop.kernel.calls import Effect
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import ModelUnavailable
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import Role
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.testing.factories import make_agent

SESSION = SessionId("session-1")


async def test_a_send_without_tools_is_answered(house, script):
    here = house(make_agent())
    here.model.answers = [script.says("Hi!")]
    send_id = await here.accept("hello")
    assert await here.executor().drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert (send.status, send.stop_reason, send.text) == (SendStatus.COMPLETED, StopReason.END_TURN, "Hi!")
    assert (send.rounds, send.attempt, send.usage.total_tokens) == (1, 1, 15)
    assert await here.log() == ["user: hello", "assistant: Hi!"]


async def test_the_events_of_a_send_tell_its_story_in_order(house, script):
    here = house(make_agent(tools=(script.tool("find"),)))
    here.model.answers = [script.asks(("c1", "find")), script.says("Found.")]
    here.toolbox.functions["find"] = script.returns("A-17")
    await here.executor().drive(await here.accept())
    assert here.recorder.types() == [
        "send.started",
        "message",
        "round.started",
        "message",
        "tool.started",
        "tool.finished",
        "message",
        "round.started",
        "text.delta",
        "message",
        "send.ended",
    ]


async def test_tool_results_go_back_to_the_model_in_the_order_it_asked(house, script):
    here = house(make_agent(tools=(script.tool("slow"), script.tool("fast"))))
    here.model.answers = [script.asks(("c1", "slow"), ("c2", "fast")), script.says("Done.")]
    fast_ended = asyncio.Event()

    async def slow(call):
        await fast_ended.wait()
        return "slow result"

    async def fast(call):
        fast_ended.set()
        return "fast result"

    here.toolbox.functions.update(slow=slow, fast=fast)
    await here.executor().drive(await here.accept())
    results = here.model.requests[1].messages[-1]
    assert results.role is Role.TOOL
    assert [block.text for block in results.content] == ["slow result", "fast result"]


async def test_tools_that_may_not_run_together_run_one_after_another(house, script):
    here = house(make_agent(tools=(script.tool("pay", Effect.ONCE, concurrent=False),)))
    here.model.answers = [script.asks(("c1", "pay"), ("c2", "pay")), script.says("Paid.")]
    running = most = 0

    async def pay(call):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return "ok"

    here.toolbox.functions["pay"] = pay
    await here.executor().drive(await here.accept())
    assert most == 1


async def test_the_end_of_a_send_publishes_the_next_of_its_session(house, script):
    here = house(make_agent())
    here.model.answers = [script.says("one")]
    first = await here.accept("1", id="send-1")
    await here.accept("2", id="send-2")
    await here.executor().drive(first)
    assert [activation.id for activation in here.recorder.published] == ["send-2"]


async def test_a_send_that_is_not_the_head_is_not_driven(house, script):
    here = house(make_agent())
    await here.accept("1", id="send-1")
    second = await here.accept("2", id="send-2")
    assert await here.executor().drive(second) is Outcome.NOT_OURS
    assert (await here.send(second)).status is SendStatus.QUEUED


@pytest.mark.parametrize("send_id", ["unknown", "send-1"])
async def test_an_unknown_or_finished_send_is_nobodys(house, script, send_id):
    here = house(make_agent())
    here.model.answers = [script.says("Hi!")]
    await here.executor().drive(await here.accept())
    assert await here.executor().drive(SendId(send_id)) is Outcome.NOT_OURS


async def test_a_second_delivery_to_the_same_process_is_nobodys(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id = await here.accept()
    executor = here.executor()
    first = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.model.requests, "it gets there")
    assert await executor.drive(send_id) is Outcome.NOT_OURS
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_model_that_fails_for_good_fails_the_send_and_keeps_the_session_usable(house, script):
    here = house(make_agent())
    here.model.answers = [ModelUnavailable("the provider is away"), script.says("Back again.")]
    send_id = await here.accept("1", id="send-1")
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert send.status is SendStatus.FAILED
    assert send.error is not None
    assert (send.error.code, send.error.message) == ("model.unavailable", "the provider is away")
    await here.executor().drive(await here.accept("2", id="send-2"))
    assert await here.log() == ["user: 1", "user: 2", "assistant: Back again."]


async def test_a_defect_fails_the_send_closes_its_calls_and_is_logged(house, script, caplog):
    here = house(make_agent(tools=(script.tool("find"), script.tool("break"))))
    here.model.answers = [script.asks(("c1", "find"), ("c2", "break"))]
    here.toolbox.functions["find"] = script.returns("A-17")
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert send.error is not None
    assert (send.status, send.error.code) == (SendStatus.FAILED, "internal")
    calls = await here.store.journal.load_calls(send_id)
    assert [call.status.is_final for call in calls] == [True, True]
    [*_, last] = await here.store.sessions.messages(SESSION)
    assert last.role is Role.TOOL
    assert [record.levelno for record in caplog.records if "defect" in record.message] == [logging.ERROR]


async def test_an_agent_that_this_worker_does_not_have_fails_the_send_in_words(house):
    here = house()
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert send.error is not None
    assert send.error.code == "agent.unknown"
