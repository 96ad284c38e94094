"""What comes at a bad moment: an activation, a cancel, a shutdown, while a run or the store is in trouble."""

import asyncio

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.events import SendEnded
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.sends import SendStatus
from powerloop.testing.factories import make_agent


async def test_an_activation_that_comes_while_a_suspended_send_lets_go_is_not_lost(house, script, eventually):
    here = house(make_agent(tools=(script.tool("pay", Effect.ONCE, concurrent=False),)))
    here.toolbox.functions["pay"] = script.hang
    here.model.answers = [script.asks(("c1", "pay")), script.says("Paid.")]
    send_id, dead = await here.accept(), here.executor()
    drive = asyncio.create_task(dead.drive(send_id))
    await eventually(lambda: here.toolbox.called, "the tool runs")
    dead.abandon()
    await drive
    executor = here.executor()
    suspend = here.store.journal.suspend

    async def answered_at_once(fence, suspension):
        committed = await suspend(fence, suspension)
        answer = {"action": "done", "result": "receipt 7"}
        answered = await here.store.interactions.answer(suspension.interactions[0].id, answer)
        assert answered.ready is not None
        assert await executor.drive(send_id) is Outcome.NOT_OURS
        return committed

    here.store.journal.suspend = answered_at_once
    assert await executor.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).text == "Paid."


async def test_an_activation_that_comes_while_a_lost_send_cleans_up_is_not_lost(house, script, eventually):
    here = house(make_agent(tools=(script.tool("find"),)))
    executor = here.executor()
    activated = []

    async def reclaimed_while_it_cleans_up(call):
        if activated:
            return "A-17"
        try:
            await script.hang()
        finally:
            held = here.leases.held(here.worker)
            await here.store.recovery.give_back(held)
            activated.append(await executor.drive(send_id))

    here.toolbox.functions["find"] = reclaimed_while_it_cleans_up
    here.model.answers = [script.asks(("c1", "find")), script.says("Found.")]
    send_id = await here.accept()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.toolbox.called, "the tool runs")
    executor.abandon()
    assert await drive is Outcome.ENDED
    assert activated == [Outcome.NOT_OURS]
    assert (await here.send(send_id)).text == "Found."


async def test_a_send_that_is_abandoned_as_the_store_goes_away_can_be_cancelled_later(
    house, script, eventually, monkeypatch
):
    here = house(make_agent())
    here.model.answers = [script.says("lost"), script.hang]
    send_id, executor = await here.accept(), here.executor()
    finish = here.store.journal.finish
    failed = []

    async def gone(fence, ending, lineage=None):
        if failed:
            return await finish(fence, ending, lineage)
        failed.append(ending)
        executor.abandon()
        await asyncio.sleep(0)
        raise StoreUnavailable("the database restarts")

    monkeypatch.setattr(here.store.journal, "finish", gone)
    assert await executor.drive(send_id) is Outcome.LOST
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: len(here.model.requests) == 2, "the model is asked again")
    await here.cancel(send_id, executor)
    assert await drive is Outcome.ENDED


@pytest.mark.parametrize("write", ["commit_model", "finish"])
async def test_a_cancelled_drive_ends_though_the_store_goes_away_in_a_write(
    house, script, monkeypatch, write
):
    here = house(make_agent(tools=(script.tool("find"),)))
    answer = script.asks(("c1", "find")) if write == "commit_model" else script.says("Hi!")
    here.model.answers = [answer, script.hang]
    send_id, executor = await here.accept(), here.executor()

    async def gone(*_):
        drive.cancel()
        await asyncio.sleep(0)
        raise StoreUnavailable("the database restarts")

    monkeypatch.setattr(here.store.journal, write, gone)
    drive = asyncio.create_task(executor.drive(send_id))
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await drive


async def test_a_draining_process_begins_no_further_call(house, script):
    tools = (script.tool("first", concurrent=False), script.tool("second", concurrent=False))
    here = house(make_agent(tools=tools))
    executor = here.executor()

    async def drained(call):
        executor.begin_drain()
        return "1"

    here.toolbox.functions.update(first=drained, second=script.returns("2"))
    here.model.answers = [script.asks(("c1", "first"), ("c2", "second"))]
    send_id = await here.accept()
    assert await executor.drive(send_id) is Outcome.HANDED_OVER
    assert here.toolbox.called == ["c1"]


async def test_a_call_that_ends_after_its_send_tells_nothing(house, script, eventually, monkeypatch):
    monkeypatch.setattr("powerloop.kernel.carrying._CLEAN_UP_S", 0.05)
    here = house(make_agent(tools=(script.tool("stubborn"),)))
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def stubborn(call):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        return "late"

    here.toolbox.functions["stubborn"] = stubborn
    here.model.answers = [script.asks(("c1", "stubborn"))]
    send_id, executor = await here.accept(), here.executor()
    drive = asyncio.create_task(executor.drive(send_id))
    await eventually(lambda: here.toolbox.called, "the tool runs")
    await here.cancel(send_id, executor)
    await drive
    may_end.set()
    await ended.wait()
    await asyncio.sleep(0)
    assert isinstance(here.recorder.events[-1].body, SendEnded)


async def test_how_a_once_call_ended_is_not_forgotten_while_the_store_is_away(house, script, monkeypatch):
    here = house(make_agent(tools=(script.tool("pay", Effect.ONCE, concurrent=False),)))
    here.toolbox.functions["pay"] = script.returns("receipt 7")
    here.model.answers = [script.asks(("c1", "pay")), script.says("Paid.")]
    send_id = await here.accept()
    commit = here.store.journal.commit_results
    failures = iter([StoreUnavailable("the database restarts")])

    async def flaky(fence, results):
        for failure in failures:
            raise failure
        return await commit(fence, results)

    monkeypatch.setattr(here.store.journal, "commit_results", flaky)
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == ["c1"]
    [call] = await here.store.journal.load_calls(send_id)
    assert (call.status, call.result) == (CallStatus.DONE, "receipt 7")


async def test_a_model_that_cancels_itself_fails_its_send(house, script):
    here = house(make_agent())

    async def cancels_itself():
        raise asyncio.CancelledError

    here.model.answers = [cancels_itself]
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert send.status is SendStatus.FAILED
    assert send.error is not None
    assert send.error.code == "internal"


async def test_a_call_that_ends_while_another_one_is_written_down_is_not_run_again(
    house, script, monkeypatch
):
    here = house(make_agent(tools=(script.tool("quick"), script.tool("slow"))))
    here.model.answers = [script.asks(("c1", "quick"), ("c2", "slow")), script.says("Done.")]
    writing, ended = asyncio.Event(), asyncio.Event()
    commit = here.store.journal.commit_results

    async def ends_meanwhile(call):
        await writing.wait()
        ended.set()
        return "slow as well"

    async def takes_its_time(fence, results):
        writing.set()
        await ended.wait()
        return await commit(fence, results)

    here.toolbox.functions = {"quick": script.returns("quick"), "slow": ends_meanwhile}
    monkeypatch.setattr(here.store.journal, "commit_results", takes_its_time)
    assert await here.executor().drive(await here.accept()) is Outcome.ENDED
    assert here.toolbox.called == ["c1", "c2"]


async def test_a_send_that_waits_for_a_last_chance_can_be_cancelled(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang, script.hang]
    poison, victim = [await here.accept(id=f"send-{n}", session=f"session-{n}") for n in range(2)]
    # Each was claimed by a process that died: one of them twice.
    for send_id, times in ((poison, 2), (victim, 1)):
        for n in range(times):
            assert await here.store.journal.claim(await here.send(send_id), WorkerId(f"dead-{n}"))
    await here.store.recovery.reclaim(10)
    executor = here.executor(max_attempts=3)
    last = asyncio.create_task(executor.drive(poison))
    await eventually(lambda: here.model.requests, "the last chance is taken")
    waits = asyncio.create_task(executor.drive(victim))
    await eventually(lambda: executor.running == 2, "the other one waits")
    cancellation = await here.cancel(victim, executor)
    assert cancellation.ready is not None
    await executor.drive(victim)  # its new activation
    async with asyncio.timeout(2):
        assert await waits is Outcome.ENDED
    assert (await here.send(victim)).status is SendStatus.CANCELLED
    executor.abandon()
    await last
