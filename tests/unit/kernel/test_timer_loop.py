"""The loop that fires timers, over the store in memory and a clock that stands still."""

import asyncio
import logging
from datetime import timedelta

import pytest

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.dispatch import Kind
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import CallId, SendId, SessionId, TimerId, WorkerId
from powerloop.kernel.messages import TextBlock, user_message
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.timer_loop import MAX_SLEEP_S
from powerloop.kernel.timers import Overlap, Schedule
from powerloop.store.memory import MemoryLeases
from tests.unit.kernel.timer_bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_it_sleeps_until_the_next_tick_and_a_second_at_most(bench):
    assert await bench.loop.turn() == MAX_SLEEP_S
    await bench.timer()
    bench.clock.seconds = 9.75
    assert await bench.loop.turn() == 0.25
    bench.clock.seconds = 10
    assert await bench.loop.turn() == 0.0 or await bench.loop.turn() == MAX_SLEEP_S
    assert [one.kind for one in bench.published] == [Kind.SEND]


async def test_a_tick_fires_at_its_time_whatever_the_loop_did_before(bench):
    timer = await bench.timer(schedule=Schedule(every=timedelta(seconds=2.5)))
    while bench.clock.seconds < 8:
        await bench.clock.sleep(await bench.loop.look())
    firings = await bench.store.timers.firings(timer.id)
    assert [(one.at - one.tick_at).total_seconds() for one in firings] == [0.0, 0.0, 0.0]


async def test_what_was_due_while_no_loop_ran_is_caught_up_with_once(bench):
    await bench.timer()
    await bench.loop.turn()
    bench.clock.seconds = 35
    while await bench.loop.turn() == 0.0:
        pass
    assert len(bench.published) == 1


async def test_a_loop_that_is_only_slow_fires_every_tick(bench):
    await bench.timer(schedule=Schedule(every=timedelta(seconds=1)))
    await bench.loop.turn()
    bench.clock.seconds = 2.9
    while await bench.loop.turn() == 0.0:
        pass
    assert (await bench.store.timers.find(TimerId("timer"))).fires == 2


async def test_calls_that_have_slept_are_woken_beside(bench):
    await bench.loop.turn()
    claim, call_id = await sleeping(bench, timedelta(seconds=5))
    bench.clock.seconds = 4.5
    assert await bench.loop.turn() == 0.5
    bench.clock.seconds = 5
    await bench.loop.turn()
    assert [one.id for one in bench.published] == [claim.send.id]
    assert call_id


async def sleeping(bench, lasts):
    """A send whose call sleeps."""
    session = await bench.store.sessions.create(NewSession(id=SessionId("s"), agent="support"))
    new = NewSend(id=SendId("send"), session_id=session.id, content=(TextBlock(text="hello"),))
    send = (await bench.store.sends.accept(new)).send
    MemoryLeases(bench.store).renew(WorkerId("w"), timedelta(minutes=5))
    claim = await bench.store.journal.claim(send, WorkerId("w"))
    call = NewToolCall(id=CallId("c"), name="sleep", arguments={}, effect=Effect.READ, index=0)
    commit = ModelCommit(round=1, message=user_message("x"), calls=(call,), entries=())
    await bench.store.journal.commit_model(claim.fence, commit)
    nap = NewSleep(call_id=call.id, lasts=lasts, until=None, result="slept")
    await bench.store.journal.suspend(claim.fence, Suspension(sleeps=(nap,)))
    return claim, call.id


async def test_who_runs_a_send_that_is_to_end_is_told(bench):
    await bench.timer(overlap=Overlap.CANCEL_OTHER)
    await bench.loop.turn()
    bench.clock.seconds = 10
    await bench.loop.turn()
    MemoryLeases(bench.store).renew(WorkerId("w"), timedelta(minutes=5))
    (first,) = await bench.store.sends.list()
    await bench.store.journal.claim(first, WorkerId("w"))
    bench.clock.seconds = 11
    await bench.loop.turn()
    bench.clock.seconds = 20
    await bench.loop.turn()
    assert bench.ended == [first.id]


async def test_hooks_are_asked_elsewhere_and_again_after_half_a_minute(bench):
    await bench.store.agents.announce([AnnouncedAgent(name="support", model="m", asks_timers=True)])
    await bench.timer(schedule=Schedule(after=timedelta(seconds=1)))
    for seconds in (0, 1, 2, 30, 31.5, 32):
        bench.clock.seconds = seconds
        await bench.loop.turn()
    assert [(one.kind, one.id, one.queue) for one in bench.published] == [
        (Kind.TIMER, "timer:timer", "powerloop.timer")
    ] * 2


async def test_a_database_that_is_away_is_waited_for_and_told_of_once(bench, monkeypatch, caplog):
    caplog.set_level(logging.INFO)

    async def away(*_, **__):
        raise StoreUnavailable("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.timers, "fire", away)
        assert [await bench.loop.look() for _ in range(3)] == [MAX_SLEEP_S] * 3
    await bench.loop.look()
    told = [record.message for record in caplog.records]
    assert told == ["timers not fired", "firing timers again"]


async def test_a_silent_broker_holds_no_timer_up(bench, monkeypatch):
    silence = asyncio.Event()

    async def silent(activations):
        await silence.wait()
        bench.published += activations
        return True

    monkeypatch.setattr(bench, "publish", silent)
    for number in range(3):
        await bench.timer(f"timer-{number}", schedule=Schedule(after=timedelta(seconds=number)))
    for seconds in range(4):
        bench.clock.seconds = seconds
        await bench.loop.look()
    assert len(await bench.store.sends.list()) == 3
    assert bench.published == []
    silence.set()
    await bench.loop.look()
    assert len(bench.published) == 3


async def test_that_a_beat_runs_is_said_though_a_look_takes_long(bench, monkeypatch):
    looking = asyncio.Event()

    async def slow(*_, **__):
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bench.store.timers, "fire", slow)
    running = asyncio.create_task(bench.loop.run())
    await looking.wait()
    began = bench.store.state.alive_at
    while bench.store.state.alive_at < began + timedelta(seconds=5):
        await asyncio.sleep(0)
    running.cancel()


async def test_what_somebody_has_locked_is_looked_at_less_and_less_often(bench, monkeypatch):
    async def locked(*_, **__):
        return Fired(more=True)

    monkeypatch.setattr(bench.store.timers, "fire", locked)
    assert [await bench.loop.turn() for _ in range(11)] == [0.002 * 2**n for n in range(9)] + [1.0] * 2


async def test_a_defect_does_not_end_it(bench, monkeypatch, caplog):
    async def broken(*_, **__):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.timers, "fire", broken)
        assert await bench.loop.look() == MAX_SLEEP_S
    assert "timers not fired" in caplog.text
    await bench.timer(schedule=Schedule(after=timedelta(0)))
    await bench.loop.look()
    assert len(bench.published) == 1
