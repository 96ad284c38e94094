"""Upkeep over the store in memory: what is old enough goes, in batches."""

from datetime import timedelta

from powerloop.kernel.ids import SendId, SessionId, TimerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.timers import NewTimer, Schedule, TimerPlan
from powerloop.kernel.upkeep import Upkeep, UpkeepPolicy
from powerloop.store.memory import MemoryStore
from powerloop.timetable import CronTimetable
from tests.unit.kernel.clocks import StoppedClock

DAY = timedelta(days=1)
DAYS = DAY.total_seconds()


class House:
    def __init__(self, **policy) -> None:
        self.clock = StoppedClock()
        self.store = MemoryStore(self.clock)
        self.upkeep = Upkeep(self.store.retention, self.clock, UpkeepPolicy(**policy))

    async def session(self, name: str):
        return await self.store.sessions.create(NewSession(id=SessionId(name), agent="a"))

    async def timers(self, count: int) -> None:
        """Timers that are done."""
        for number in range(count):
            plan = TimerPlan(schedule=Schedule(after=timedelta(0)), input="x")
            new = NewTimer(id=TimerId(f"t{number}"), session_id=None, agent="a", plan=plan)
            await self.store.timers.create(new, CronTimetable())
        while (await self.store.timers.fire(CronTimetable(), 500)).count:
            pass


async def test_nothing_is_removed_that_is_not_old_enough():
    house = House(sends=DAY, timers=DAY)
    await house.session("s")
    await house.timers(3)
    house.clock.seconds += DAYS
    assert await house.upkeep.tidy() == 0


async def test_timers_and_their_ticks_go_in_batches():
    house = House(timers=DAY)
    await house.timers(1_200)
    house.clock.seconds += DAYS * 2
    assert await house.upkeep.tidy() == 2_400
    assert list(await house.store.timers.list()) == []
    assert len(await house.store.sessions.list(limit=10_000)) == 1_200


async def test_sessions_go_as_a_whole_and_busy_ones_stay():
    house = House(sends=DAY, timers=None)
    await house.session("idle")
    busy = await house.session("busy")
    new = NewSend(id=SendId("send"), session_id=busy.id, content=(TextBlock(text="hello"),))
    await house.store.sends.accept(new)
    house.clock.seconds += DAYS * 2
    assert await house.upkeep.tidy() == 1
    assert [session.id for session in await house.store.sessions.list()] == ["busy"]


async def test_everything_is_kept_for_ever_unless_said_otherwise():
    house = House(timers=None)
    await house.session("s")
    await house.timers(1)
    house.clock.seconds += DAYS * 10_000
    assert await house.upkeep.tidy() == 0
