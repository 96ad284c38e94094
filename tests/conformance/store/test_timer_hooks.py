"""Ticks whose hooks are asked, and `Timers.settle`: what becomes of them by the answer."""

from datetime import UTC, datetime

from powerloop.kernel.hooks.decisions import CancelTimer, Postpone, Veto
from powerloop.kernel.hooks.timers import Fire
from powerloop.kernel.ids import SessionId
from powerloop.kernel.messages import TextBlock, text_of
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
from powerloop.kernel.timers import TimerStatus
from tests.conformance.store.ticking import (
    HOUR,
    PAST,
    TIMETABLE,
    due_again,
    fire,
    hourly,
    made,
    new_timer,
    plan,
)


async def test_the_hooks_of_the_agent_that_a_sub_agent_is_made_of_are_asked(desk):
    await desk.store.agents.announce([AnnouncedAgent(name="base", model="m", asks_timers=True)])
    # A worker of the release before has no hooks of it.
    await desk.store.agents.announce([AnnouncedAgent(name="base", model="m")])
    origin = Origin(parent_id=(await desk.session()).id, lifecycle=Lifecycle.LINKED, spec={"base": "base"})
    new = NewSession(id=SessionId("helper"), agent="helper", origin=origin)
    timer = await made(desk, await desk.store.sessions.create(new))
    assert [one.id for one in (await fire(desk)).asked] == [timer.id]


async def asked(desk):
    """A timer whose hooks are to be asked."""
    await desk.store.agents.announce([AnnouncedAgent(name="support", model="m", asks_timers=True)])
    timer = await made(desk, await desk.session(), plan(schedule=hourly()))
    fired = await fire(desk)
    assert (fired.count, [one.id for one in fired.asked]) == (0, [timer.id])
    assert (await fire(desk)).asked == ()
    return fired.asked[0]


async def test_a_tick_whose_hooks_say_so_fires_with_another_input(desk):
    timer = await asked(desk)
    answer = Fire((TextBlock(text="changed"),))
    fired = await desk.store.timers.settle(timer, answer, TIMETABLE)
    (send,) = fired.ready
    assert text_of(send.content) == "changed"
    assert (await desk.store.timers.settle(timer, answer, TIMETABLE)).count == 0
    assert (await desk.store.timers.find(timer.id)).tick_at == PAST + HOUR


async def test_an_answer_about_another_plan_is_dropped(desk):
    timer = await asked(desk)
    session = await desk.store.sessions.find(timer.session_id)
    other = new_timer(session, plan("other", hourly()), timer_id=timer.id, replace=True)
    await desk.store.timers.create(other, TIMETABLE)
    answer = Fire((TextBlock(text="old words"),))
    assert (await desk.store.timers.settle(timer, answer, TIMETABLE)).count == 0


async def test_a_tick_that_is_vetoed_makes_no_send(desk):
    timer = await asked(desk)
    await desk.store.timers.settle(timer, Veto("not today"), TIMETABLE)
    (firing,) = await desk.store.timers.firings(timer.id)
    assert (firing.outcome, firing.detail) == ("vetoed", "not today")
    assert (await desk.store.timers.find(timer.id)).tick_at == PAST + HOUR


async def test_a_tick_that_is_postponed_is_asked_about_again_then(desk):
    timer = await asked(desk)
    await desk.store.timers.settle(timer, Postpone(HOUR), TIMETABLE)
    later = await desk.store.timers.find(timer.id)
    assert (later.tick_at, later.due_at > datetime.now(UTC)) == (PAST, True)
    await due_again(desk, timer)
    assert len((await fire(desk)).asked) == 1


async def test_hooks_may_cancel_a_timer(desk):
    timer = await asked(desk)
    await desk.store.timers.settle(timer, CancelTimer("over"), TIMETABLE)
    found = await desk.store.timers.find(timer.id)
    assert (found.status, found.reason) == (TimerStatus.CANCELLED, "over")
