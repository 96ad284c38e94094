"""A loop that fires timers, over the store in memory and a clock that stands still."""

from collections.abc import Sequence
from datetime import timedelta

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.timer_loop import TimerLoop, TimerPorts
from powerloop.kernel.timers import NewTimer, Schedule, TimerPlan
from powerloop.store.memory import MemoryStore
from powerloop.timetable import CronTimetable
from tests.unit.kernel.clocks import StoppedClock


class Bench:
    """A loop, and what it works with."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.store = MemoryStore(self.clock)
        self.published: list[Activation] = []
        self.ended: list[str] = []
        self.loop = TimerLoop(
            TimerPorts(
                timers=self.store.timers,
                beats=self.store.beats,
                recovery=self.store.recovery,
                timetable=CronTimetable(),
                dispatcher=self,
                clock=self.clock,
                tell_end=self.tell_end,
            )
        )

    async def publish(self, activations: Sequence[Activation]) -> bool:
        self.published += activations
        return True

    async def tell_end(self, send) -> None:
        self.ended.append(send.id)

    async def timer(self, timer_id: str = "timer", agent: str = "support", **fields):
        """A timer of a session of its own: every ten seconds, unless given."""
        session = await self.store.sessions.create(NewSession(id=SessionId(timer_id), agent=agent))
        schedule = fields.pop("schedule", Schedule(every=timedelta(seconds=10)))
        plan = TimerPlan(schedule=schedule, input="wake up", **fields)
        new = NewTimer(id=TimerId(timer_id), session_id=session.id, agent=agent, plan=plan)
        return await self.store.timers.create(new, CronTimetable())
