"""Ending a send on request, wherever it is."""

import asyncio
from decimal import Decimal

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.driving import Outcome
from powerloop.kernel.endings import CANCELLED_NOTE, CUT_OFF_NOTE
from powerloop.kernel.ids import Epoch, SessionId, WorkerId
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.sends import CancelEffect, SendStatus
from powerloop.kernel.usage import CallOutcome
from powerloop.testing.factories import make_agent


async def test_a_cancel_in_the_middle_of_an_answer_keeps_what_was_written(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.writes("I was about to")]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: "text.delta" in here.recorder.types(), "the model writes")
    assert (await here.cancel(send_id, executor)).effect is CancelEffect.REQUESTED
    assert await drive is Outcome.ENDED
    send = await here.send(send_id)
    assert (send.status, send.text) == (SendStatus.CANCELLED, "I was about to")
    assert send.cancel is not None
    assert (send.cancel.reason, send.cancel.actor) == ("no longer needed", "ada")
    [_, answer] = await here.store.sessions.messages(send.session_id)
    assert (answer.text, answer.metadata) == ("I was about to", {"finish": "cancelled"})
    assert here.recorder.types()[-2:] == ["message", "send.ended"]


async def test_a_cancelled_answer_is_in_the_ledger_as_an_estimate(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.writes("x" * 400)]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: "text.delta" in here.recorder.types(), "the model writes")
    await here.cancel(send_id, executor)
    await drive
    [row] = here.store.ledger
    assert (row.entry.outcome, row.entry.estimated) == (CallOutcome.CANCELLED, True)
    assert row.entry.cost == row.entry.usage.total_tokens * Decimal("0.01") > 0
    assert row.entry.usage.output_tokens == 100
    assert (await here.send(send_id)).usage == row.entry.usage


async def test_the_next_send_of_the_session_runs_at_once(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.writes("One"), script.says("Two")]
    first, executor = await here.accept("1", id="send-1"), here.executor()
    second = await here.accept("2", id="send-2")
    drive = asyncio.create_task(executor.drive(first))
    await eventually(lambda: "text.delta" in here.recorder.types(), "the model writes")
    await here.cancel(first, executor)
    await drive
    assert [activation.id for activation in here.recorder.published] == [second]
    assert await executor.drive(second) is Outcome.ENDED
    assert await here.log() == ["user: 1", "assistant: One", "user: 2", "assistant: Two"]


async def test_calls_that_are_cut_off_get_results_that_say_how_far_they_came(house, script, eventually):
    tools = [script.tool("done"), script.tool("running"), script.tool("later", concurrent=False)]
    here = house(make_agent(tools=tuple(tools)))
    here.toolbox.functions.update(done=script.returns("42"), running=script.hang)
    here.model.answers = [script.asks(("c1", "done"), ("c2", "running"), ("c3", "later"))]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: "tool.finished" in here.recorder.types(), "one tool ends")
    await here.cancel(send_id, executor)
    assert await drive is Outcome.ENDED
    calls = {call.id: (call.status, call.result) for call in await here.store.journal.load_calls(send_id)}
    assert calls == {
        "c1": (CallStatus.DONE, "42"),
        "c2": (CallStatus.CANCELLED, CUT_OFF_NOTE),
        "c3": (CallStatus.CANCELLED, CANCELLED_NOTE),
    }
    assert (await here.log())[-1] == f"tool: 42 {CUT_OFF_NOTE} {CANCELLED_NOTE}"
    assert here.toolbox.called == ["c1", "c2"]


async def test_an_unheard_nudge_costs_no_more_than_the_next_commit(house, script):
    here = house(make_agent(tools=(script.tool("find"),)))

    async def cancelled_meanwhile():
        await here.cancel("send-1")
        return script.asks(("c1", "find"))

    here.model.answers = [cancelled_meanwhile]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert await here.log() == ["user: hello", "assistant: find", f"tool: {CANCELLED_NOTE}"]
    assert here.toolbox.called == []


async def test_the_heartbeats_look_at_the_row_cuts_off_as_well(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.model.requests, "the model is asked")
    await here.cancel(send_id)
    held = Held(send_id=send_id, session_id=SessionId("session-1"), epoch=Epoch(1), cancel_requested=True)
    executor.reconcile([held])
    assert await drive is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED


async def test_a_nudge_that_nobody_asked_for_costs_the_send_nothing(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang, script.says("Hi!")]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.model.requests, "the model is asked")
    executor.cancel(send_id)
    assert await drive is Outcome.HANDED_OVER
    assert [activation.id for activation in here.recorder.published] == [send_id]
    assert await executor.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).text == "Hi!"


async def test_a_cancel_that_comes_between_the_claim_and_the_first_step_is_heard(house, script, monkeypatch):
    here = house(make_agent())
    send_id, executor = await here.accept(), here.executor()
    claim = here.store.journal.claim

    async def cancelled_after_the_claim(send, worker):
        claimed = await claim(send, worker)
        await here.cancel(send_id, executor)
        return claimed

    monkeypatch.setattr(here.store.journal, "claim", cancelled_after_the_claim)
    assert await executor.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert here.model.requests == []


async def test_a_send_that_was_cancelled_before_it_was_accepted_never_runs(house):
    here = house(make_agent())
    assert (await here.cancel("send-1")).effect is CancelEffect.REMEMBERED
    send_id = await here.accept(id="send-1")
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert here.model.requests == []


async def test_cancelling_twice_is_cancelling_once(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.model.requests, "the model is asked")
    await here.cancel(send_id, executor)
    await here.cancel(send_id, executor)
    assert await drive is Outcome.ENDED
    assert (await here.cancel(send_id, executor)).effect is CancelEffect.ENDED


async def test_a_tool_that_ignores_its_cancellation_holds_nothing_up(house, script, eventually, monkeypatch):
    monkeypatch.setattr("powerloop.kernel.carrying._CLEAN_UP_S", 0.05)
    here = house(make_agent(tools=(script.tool("stubborn"),)))
    may_end = asyncio.Event()

    async def stubborn(call):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    here.toolbox.functions["stubborn"] = stubborn
    here.model.answers = [script.asks(("c1", "stubborn"))]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.toolbox.called, "the tool runs")
    await here.cancel(send_id, executor)
    assert await drive is Outcome.ENDED
    may_end.set()
    [call] = await here.store.journal.load_calls(send_id)
    assert call.status is CallStatus.CANCELLED


async def test_a_waiting_send_is_ended_by_the_worker_that_takes_it_next(house, script, eventually):
    here = house(make_agent(tools=(script.tool("pay", Effect.ONCE, concurrent=False),)))
    here.toolbox.functions["pay"] = script.hang
    here.model.answers = [script.asks(("c1", "pay"))]
    send_id, dead = await here.accept(), here.executor()
    drive = asyncio.create_task(dead.drive(send_id))
    await eventually(lambda: here.toolbox.called, "the tool runs")
    dead.abandon()
    await drive
    survivor = here.executor(WorkerId("worker-2"))
    assert await survivor.drive(send_id) is Outcome.WAITING
    cancellation = await here.cancel(send_id, survivor)
    assert cancellation.ready is not None
    assert await survivor.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.CANCELLED
    assert await here.store.interactions.list() == []
    assert (await here.log())[-1] == f"tool: {CUT_OFF_NOTE}"
