import asyncio
from datetime import timedelta

import pytest

from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import SessionId, WorkerId
from powerloop.kernel.sends import SendStatus
from powerloop.testing.factories import make_agent

SESSION = SessionId("session-1")


async def test_a_worker_whose_epoch_was_raised_writes_nothing_more(house, script, caplog):
    here = house(make_agent())
    send_id = await here.accept()

    async def stolen():
        # Its lease ran out, unseen, and another worker claimed the send.
        claim = await here.store.journal.claim(await here.send(send_id), WorkerId("worker-2"))
        assert claim is not None
        return script.says("from the grave")

    here.model.answers = [stolen]
    assert await here.executor().drive(send_id) is Outcome.LOST
    send = await here.send(send_id)
    assert (send.status, send.owner, send.attempt) == (SendStatus.RUNNING, "worker-2", 2)
    assert await here.log() == ["user: hello"]
    assert [record.message for record in caplog.records] == ["send fenced"]
    assert "send.ended" not in here.recorder.types()


async def test_a_lost_lock_stops_the_send_without_a_write(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id = await here.accept()
    drive = asyncio.create_task(here.executor().drive(send_id))
    await eventually(lambda: here.model.requests, "it gets there")
    here.locks.on_lost[SESSION]()
    assert await drive is Outcome.LOST
    assert (await here.send(send_id)).status is SendStatus.RUNNING


async def test_a_process_that_cannot_prove_its_life_abandons_all_its_sends(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang, script.hang]
    executor = here.executor()
    ids = [await here.accept(id=f"send-{n}", session=f"session-{n}") for n in range(2)]
    drives = [asyncio.create_task(executor.drive(send_id)) for send_id in ids]
    await eventually(lambda: len(here.model.requests) == 2, "it gets there")
    executor.abandon()
    assert await asyncio.gather(*drives) == [Outcome.LOST, Outcome.LOST]
    assert executor.running == 0


async def test_a_draining_process_hands_over_at_the_next_commit_and_uses_no_attempt(house, script):
    here = house(make_agent(tools=(script.tool("find"),)))
    here.toolbox.functions["find"] = script.returns("A-17")
    executor = here.executor()

    async def drained():
        executor.begin_drain()
        return script.asks(("c1", "find"))

    here.model.answers = [drained, script.says("Found.")]
    send_id = await here.accept()
    assert await executor.drive(send_id) is Outcome.HANDED_OVER
    send = await here.send(send_id)
    assert (send.status, send.attempt, send.owner, send.rounds) == (SendStatus.QUEUED, 0, None, 1)
    assert [activation.id for activation in here.recorder.published] == [send_id]
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert await here.log() == ["user: hello", "assistant: find", "tool: A-17", "assistant: Found."]


async def test_a_cancelled_drive_hands_its_send_over_first(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id = await here.accept()
    drive = asyncio.create_task(here.executor().drive(send_id))
    await eventually(lambda: here.model.requests, "it gets there")
    drive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drive
    assert (await here.send(send_id)).status is SendStatus.QUEUED
    assert [activation.id for activation in here.recorder.published] == [send_id]


async def test_a_dead_workers_send_goes_on_after_its_last_commit(house, script, eventually):
    here = house(make_agent(tools=(script.tool("find"), script.tool("count"))))
    here.toolbox.functions.update(find=script.returns("A-17"), count=script.hang)
    here.model.answers = [script.asks(("c1", "find"), ("c2", "count")), script.says("Done.")]
    send_id = await here.accept()
    dead = here.executor()
    here.leases.renew(here.worker, timedelta(minutes=1))
    drive = asyncio.create_task(dead.drive(send_id))
    await eventually(lambda: len(here.toolbox.called) == 2, "it gets there")
    await eventually(lambda: "tool.finished" in here.recorder.types(), "one tool ends")
    dead.abandon()
    await drive
    here.leases.release(here.worker)
    here.toolbox.functions["count"] = script.returns("2")
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == ["c1", "c2", "c2"]
    assert len(here.model.requests) == 2
    assert (await here.send(send_id)).attempt == 2


async def test_a_later_attempt_voids_what_the_dead_one_streamed(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang, script.says("Hi!")]
    send_id = await here.accept()
    dead = here.executor()
    drive = asyncio.create_task(dead.drive(send_id))
    await eventually(lambda: here.model.requests, "it gets there")
    dead.abandon()
    await drive
    here.recorder.events.clear()
    await here.executor(WorkerId("worker-2")).drive(send_id)
    assert here.recorder.types()[:2] == ["send.started", "send.rewind"]
    assert {event.attempt for event in here.recorder.events} == {2}


async def test_a_store_that_goes_away_costs_time_and_no_send(house, script, monkeypatch):
    here = house(make_agent())
    here.model.answers = [script.says("lost answer"), script.says("Hi!")]
    send_id = await here.accept()
    finish = here.store.journal.finish
    failures = iter([StoreUnavailable("the database restarts")])

    async def flaky(fence, ending, lineage=None):
        for failure in failures:
            raise failure
        return await finish(fence, ending, lineage)

    monkeypatch.setattr(here.store.journal, "finish", flaky)
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).text == "Hi!"


async def test_a_lock_that_its_last_holder_lets_go_of_is_waited_for(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.says("Hi!")]
    here.locks.held.add(SESSION)
    drive = asyncio.create_task(here.executor().drive(await here.accept()))
    await eventually(lambda: here.locks.on_lost, "it gets there")
    here.locks.held.clear()
    assert await drive is Outcome.ENDED


async def test_a_cancelled_drive_of_a_send_that_is_anothers_writes_nothing(house, script, eventually, caplog):
    here = house(make_agent())
    here.model.answers = [script.hang]
    send_id = await here.accept()
    drive = asyncio.create_task(here.executor().drive(send_id))
    await eventually(lambda: here.model.requests, "the model is asked")
    await here.store.journal.claim(await here.send(send_id), WorkerId("worker-2"))
    drive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drive
    assert (await here.send(send_id)).owner == "worker-2"
    assert [record.message for record in caplog.records] == ["send not handed over"]


async def test_what_was_streamed_before_a_hand_over_is_void(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang]
    drive = asyncio.create_task(here.executor().drive(await here.accept()))
    await eventually(lambda: here.model.requests, "the model is asked")
    drive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drive
    assert here.recorder.types()[-2:] == ["send.rewind", "send.handed_over"]


async def test_a_send_whose_turn_has_not_come_does_not_wait_for_the_lock(house):
    here = house(make_agent())
    await here.accept("1", id="send-1")
    second = await here.accept("2", id="send-2")
    here.locks.held.add(SESSION)
    async with asyncio.timeout(1):
        assert await here.executor().drive(second) is Outcome.NOT_OURS
    assert here.recorder.published == []


async def test_an_activation_that_comes_while_an_early_one_gives_up_is_not_lost(house, script, monkeypatch):
    here = house(make_agent())
    here.model.answers = [script.says("one"), script.says("two")]
    first = await here.accept("1", id="send-1")
    second = await here.accept("2", id="send-2")
    executor = here.executor()
    is_head = here.store.journal.is_head

    async def too_early(send):
        answer = await is_head(send)
        # Between the look at the row and the end of the early activation, the send's turn comes.
        here.locks.held.clear()
        await executor.drive(first)
        assert await executor.drive(second) is Outcome.NOT_OURS
        return answer

    monkeypatch.setattr(here.store.journal, "is_head", too_early)
    here.locks.held.add(SESSION)
    assert await executor.drive(second) is Outcome.ENDED
    assert (await here.send(second)).text == "two"


async def test_a_lock_that_is_never_let_go_of_sends_the_activation_round_again(house, monkeypatch, caplog):
    monkeypatch.setattr("powerloop.kernel.executor._LOCK_PATIENCE_S", (0.001, 0.001))
    here = house(make_agent())
    here.locks.held.add(SESSION)
    send_id = await here.accept()
    assert await here.executor().drive(send_id) is Outcome.NOT_OURS
    assert [activation.id for activation in here.recorder.published] == [send_id]
    assert [record.message for record in caplog.records] == ["session lock held"]


@pytest.mark.parametrize("late", ["cancelled", "abandoned"])
async def test_what_comes_once_a_send_is_being_finished_comes_too_late(house, script, monkeypatch, late):
    here = house(make_agent())
    here.model.answers = [script.says("one")]
    first = await here.accept("1", id="send-1")
    await here.accept("2", id="send-2")
    finish = here.store.journal.finish
    executor = here.executor()

    async def cut_off(fence, ending, lineage=None):
        finished = await finish(fence, ending, lineage)
        drive.cancel() if late == "cancelled" else executor.abandon()
        await asyncio.sleep(0)
        return finished

    monkeypatch.setattr(here.store.journal, "finish", cut_off)
    drive = asyncio.create_task(executor.drive(first))
    assert await drive is Outcome.ENDED
    assert [activation.id for activation in here.recorder.published] == ["send-2"]
