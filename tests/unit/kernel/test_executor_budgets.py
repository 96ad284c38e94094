"""Sends with a budget: how calls are cut to what is left, and how a send ends that has nothing left."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import ModelDeadline, ModelUnavailable
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.interactions import InteractionStatus
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.sends import NewSend, SendStatus, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.spending import DEFAULT_OUTPUT_TOKENS
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.testing.factories import make_agent

UNLIMITED = Budget()


async def accept(here, budget):
    await here.store.sessions.ensure(NewSession(id=SessionId("session-1"), agent="support"))
    new = NewSend(
        id=SendId("send-1"),
        session_id=SessionId("session-1"),
        content=(TextBlock(text="hello"),),
        budget=budget,
    )
    return (await here.store.sends.accept(new)).send.id


def used(here, send_id):
    return here.store.state.accounts[send_id].used


def failed(tokens):
    usage = Usage(output_tokens=tokens)
    return ModelCallEntry(
        model="fake:m", usage=usage, outcome=CallOutcome.FAILED, latency=timedelta(0), error_code="x"
    )


async def test_a_send_whose_budget_is_used_up_ends_with_its_last_answer(limited, script):
    here = limited(output_tokens=10)
    here.model.answers = [script.asks(("c1", "find")), script.asks(("c2", "find")), script.says("never")]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert (send.status, send.stop_reason, send.rounds) == (SendStatus.COMPLETED, StopReason.BUDGET, 2)
    assert len(here.model.requests) == 2
    assert (await here.log())[-2:] == ["assistant: find", "tool: A-17"]
    assert here.recorder.events[-1].body.stop_reason is StopReason.BUDGET
    assert here.store.state.reservations == {send_id: {}}


async def test_which_limit_of_which_send_is_logged(limited, script, caplog):
    here = limited(output_tokens=5)
    here.model.answers = [script.asks(("c1", "find"))]
    send_id = await here.accept()
    with caplog.at_level(logging.INFO, "powerloop.executor"):
        await here.executor().drive(send_id)
    (record,) = [record for record in caplog.records if record.message == "budget used up"]
    assert (record.limit, record.budget_of) == ("output_tokens", send_id)


async def test_a_send_may_narrow_the_budget_of_its_agent_and_not_widen_it(limited, script):
    here = limited(output_tokens=100)
    here.model.answers = [script.says("hi")]
    send_id = await accept(here, Budget(output_tokens=50, input_tokens=1_000))
    await here.executor().drive(send_id)
    assert here.model.requests[0].settings.max_output_tokens == 50
    assert (await here.send(send_id)).budget == Budget(output_tokens=50, input_tokens=1_000)

    wide = limited(output_tokens=100)
    wide.model.answers = [script.says("hi")]
    await wide.executor().drive(await accept(wide, Budget(output_tokens=5_000)))
    assert wide.model.requests[0].settings.max_output_tokens == 100


async def test_an_answer_is_cut_to_what_is_left(limited, script):
    here = limited(ModelSettings(max_output_tokens=30), output_tokens=32)
    here.model.answers = [script.asks(("c1", "find")), script.says("hi")]
    await here.executor().drive(await here.accept())
    assert [request.settings.max_output_tokens for request in here.model.requests] == [30, 27]


async def test_an_answer_that_the_budget_cut_off_ends_the_send_with_budget(limited, script):
    here = limited(output_tokens=20)
    here.model.answers = [script.says("and then", FinishReason.LENGTH)]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert (send.stop_reason, send.text) == (StopReason.BUDGET, "and then")


async def test_an_answer_that_the_agent_cut_off_does_not(limited, script):
    here = limited(ModelSettings(max_output_tokens=10), output_tokens=1_000)
    here.model.answers = [script.says("and then", FinishReason.LENGTH)]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert (await here.send(send_id)).stop_reason is StopReason.OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"total_tokens": 10**6}, DEFAULT_OUTPUT_TOKENS),
        ({"cost": Decimal(1000)}, DEFAULT_OUTPUT_TOKENS),
        ({"wall_clock": timedelta(hours=1)}, None),
        ({}, None),
    ],
)
async def test_answers_are_bounded_where_they_count(limited, script, limits, expected):
    here = limited(**limits)
    here.model.answers = [script.says("hi")]
    await here.executor().drive(await here.accept())
    assert here.model.requests[0].settings.max_output_tokens == expected


async def test_a_model_does_not_reason_where_there_is_no_room_for_it(limited, script):
    here = limited(ModelSettings(reasoning_tokens=2_000), output_tokens=1_000)
    here.model.answers = [script.says("hi")]
    await here.executor().drive(await here.accept())
    settings = here.model.requests[0].settings
    assert (settings.max_output_tokens, settings.reasoning_tokens) == (1_000, None)


async def test_the_time_that_is_left_is_the_deadline_of_a_call(limited, script):
    here = limited(wall_clock=timedelta(seconds=30))
    here.model.answers = [script.says("hi")]
    await here.executor().drive(await here.accept())
    assert timedelta(0) < here.model.requests[0].deadline <= timedelta(seconds=30)
    longer = limited(wall_clock=timedelta(hours=2))
    longer.model.answers = [script.says("hi")]
    await longer.executor().drive(await longer.accept())
    assert longer.model.requests[0].deadline == make_agent().model_timeout


async def test_a_call_that_the_time_of_the_budget_cut_off_ends_the_send_with_budget(limited, script):
    here = limited(wall_clock=timedelta(seconds=30), output_tokens=100)
    late = ModelDeadline("too late")
    late.attempts = (failed(3),)
    here.model.answers = [script.asks(("c1", "find")), late]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    send = await here.send(send_id)
    assert (send.status, send.stop_reason) == (SendStatus.COMPLETED, StopReason.BUDGET)
    assert used(here, send_id).output_tokens == send.usage.output_tokens == 5 + 3
    assert [row.round for row in here.store.ledger] == [1, 2]


async def test_a_call_that_took_longer_than_the_agent_allows_fails_the_send(limited):
    here = limited(wall_clock=timedelta(hours=2))
    here.model.answers = [ModelDeadline("too late")]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert (await here.send(send_id)).error.code == ModelDeadline.code


async def test_failed_attempts_are_charged(limited, script):
    here = limited(output_tokens=100)
    asked = script.asks(("c1", "find"))
    broken = ModelUnavailable("down")
    broken.attempts = (failed(40),)
    here.model.answers = [replace(asked, attempts=(failed(30), *asked.attempts)), broken]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert (await here.send(send_id)).status is SendStatus.FAILED
    assert used(here, send_id).output_tokens == 30 + 5 + 40
    assert here.store.state.reservations == {send_id: {}}


async def test_a_cancelled_call_is_charged(limited, script, eventually):
    here = limited(output_tokens=100)
    here.model.answers = [script.writes("four score and seven years ago")]
    send_id, executor = await here.accept(), here.executor()
    driving = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: "text.delta" in here.recorder.types(), "the model writes")
    assert here.store.state.reservations[send_id][send_id].output_tokens == 100
    await here.cancel(send_id, executor)
    await driving
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert used(here, send_id).output_tokens == (await here.send(send_id)).usage.output_tokens > 0
    assert here.store.state.reservations == {send_id: {}}


async def test_money_is_counted_by_the_price_of_the_model(limited, script):
    here = limited(ModelSettings(max_output_tokens=10), cost=Decimal("0.30"))
    priced = replace(script.asks(("c1", "find")).attempts[0], cost=Decimal("0.15"))
    here.model.answers = [
        replace(script.asks((f"c{number}", "find")), attempts=(priced,)) for number in range(3)
    ]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert (await here.send(send_id)).stop_reason is StopReason.BUDGET
    assert used(here, send_id).cost == Decimal("0.30")


async def test_calls_of_a_model_without_a_price_cost_a_budget_nothing_and_are_warned_of_once(
    limited, script, caplog, monkeypatch
):
    here = limited(cost=Decimal("0.01"))
    monkeypatch.setattr(type(here.model), "cost_of", lambda *_: None)
    here.model.answers = [script.asks(("c1", "find")), script.says("hi")]
    send_id = await here.accept()
    await here.executor().drive(send_id)
    assert (await here.send(send_id)).stop_reason is StopReason.END_TURN
    warnings = [record for record in caplog.records if record.message.startswith("price not known")]
    assert [record.model for record in warnings] == ["scripted:echo"]


async def test_a_send_that_waits_beyond_its_time_ends_with_budget(limited, script, eventually):
    here = limited(wall_clock=timedelta(seconds=0.5))
    here.model.answers = [script.asks(("c1", "ask"))]
    send_id, executor = await here.accept(), here.executor()
    assert await executor.drive(send_id) is Outcome.WAITING

    async def woken():
        return await here.store.recovery.resume(10)

    assert [send.id for send in await eventually(woken, "its time is over")] == [send_id]
    assert await executor.drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert (send.status, send.stop_reason) == (SendStatus.COMPLETED, StopReason.BUDGET)
    (call,) = await here.store.journal.load_calls(send_id)
    assert call.status is CallStatus.FAILED
    assert (await here.log())[-1] == f"tool: {call.result}"
    (question,) = await here.store.interactions.list(status=None)
    assert question.status is InteractionStatus.WITHDRAWN
