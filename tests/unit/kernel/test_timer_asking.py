"""Asking hooks about timers that are due, and doing what they say."""

from datetime import timedelta

import pytest

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.hooks import CancelTimer, ChangeInput, Hook, Postpone, Veto
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.messages import text_of
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.timer_asking import TimerAsker
from powerloop.kernel.timer_text import check_template
from powerloop.kernel.timers import NewTimer, Schedule, TimerPlan, TimerStatus
from powerloop.store.memory import MemoryStore
from powerloop.timetable import CronTimetable
from tests.unit.kernel.clocks import BEGINNING, StoppedClock

HOUR = timedelta(hours=1)


class Says(Hook):
    """Says what it was made with, and keeps what it was told."""

    def __init__(self, decision) -> None:
        self.decision = decision
        self.told = []

    async def timer(self, context):
        self.told.append(context)
        return self.decision


class Desk:
    """A timer that is to be asked about, and who asks."""

    def __init__(self, decision) -> None:
        self.hook = Says(decision)
        self.store = MemoryStore(StoppedClock())
        self.published = []
        self.asker = TimerAsker(
            timers=self.store.timers,
            sessions=self.store.sessions,
            agents=AgentRegistry([Agent(name="support", model="scripted:echo", hooks=[self.hook], deps="d")]),
            timetable=CronTimetable(),
            dispatcher=self,
            tell_end=self.publish,
        )

    async def publish(self, activations):
        self.published += [one.id for one in activations]
        return True

    async def begin(self):
        agent = AnnouncedAgent.of(self.asker.agents.get("support"))
        assert agent.asks_timers
        await self.store.agents.announce([agent])
        session = await self.store.sessions.create(NewSession(id=SessionId("s"), agent="support"))
        schedule = Schedule(every=HOUR, start=BEGINNING)
        plan = TimerPlan(schedule=schedule, input="tick {{tick}}", metadata={"customer": 42})
        new = NewTimer(id=TimerId("t"), session_id=session.id, agent="", plan=plan)
        timer = await self.store.timers.create(new, CronTimetable())
        fired = await self.store.timers.fire(CronTimetable(), 10)
        assert [one.id for one in fired.asked] == [timer.id]
        return timer

    async def timer(self):
        return await self.store.timers.find(TimerId("t"))


async def asked(decision) -> tuple[Desk, object]:
    desk = Desk(decision)
    before = await desk.begin()
    await desk.asker.ask(before.id)
    return desk, before


async def test_a_hook_is_told_what_is_due_and_what_it_would_say():
    desk, before = await asked(None)
    (context,) = desk.hook.told
    assert (context.session_id, context.agent, context.timer_id) == ("s", "support", "t")
    assert (context.tick_at, context.due_at) == (before.tick_at, before.due_at)
    assert text_of(context.content) == "tick 1"
    assert (context.metadata, context.deps) == ({"customer": 42}, "d")
    (send,) = await desk.store.sends.list()
    assert desk.published == [send.id]


async def test_what_hooks_say_is_done():
    desk, before = await asked(ChangeInput("other words"))
    (send,) = await desk.store.sends.list()
    assert text_of(send.content) == "other words"
    desk, before = await asked(Veto("not today"))
    assert (await desk.timer()).tick_at == before.tick_at + HOUR
    desk, before = await asked(Postpone(HOUR))
    assert (await desk.timer()).tick_at == before.tick_at
    desk, _ = await asked(CancelTimer("over"))
    assert (await desk.timer()).status is TimerStatus.CANCELLED
    assert desk.published == []


async def test_what_was_settled_is_not_asked_about_again():
    desk, before = await asked(None)
    await desk.asker.ask(before.id)
    await desk.asker.ask(TimerId("nobody"))
    assert len(desk.hook.told) == 1


async def test_an_agent_that_is_not_known_here_is_left_to_others(caplog):
    desk = Desk(None)
    timer = await desk.begin()
    strangers = TimerAsker(
        timers=desk.store.timers,
        sessions=desk.store.sessions,
        agents=AgentRegistry([Agent(name="other", model="scripted:echo")]),
        timetable=CronTimetable(),
        dispatcher=desk,
        tell_end=desk.publish,
    )
    await strangers.ask(timer.id)
    assert "no such agent here" in caplog.text
    assert (await desk.timer()).asked_at is not None


async def test_a_hook_that_postpones_beyond_all_measure_is_passed_over(caplog):
    desk, _ = await asked(Postpone(timedelta(days=4_000_000)))
    assert len(await desk.store.sends.list()) == 1
    assert "hook failed" in caplog.text


async def test_a_database_that_is_away_is_told_of(monkeypatch, caplog):
    desk = Desk(None)
    timer = await desk.begin()

    async def away(*_):
        raise StoreUnavailable("nobody there")

    monkeypatch.setattr(desk.store.timers, "find", away)
    await desk.asker.ask(timer.id)
    assert "timer not asked about" in caplog.text


@pytest.mark.parametrize("text", ["{{tick}}", "{{ due_at }}", "none", "{not one}", "{{two words}}"])
def test_a_template_has_the_places_that_there_are(text):
    check_template(text)
