"""Timers in every state, driven through the ports as beats and workers drive them."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from powerloop.kernel.hooks.decisions import Veto
from powerloop.kernel.ids import SessionId, TimerId, WorkerId
from powerloop.kernel.ports.lease import Leases
from powerloop.kernel.ports.store import AnnouncedAgent, Store
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.timers import NewTimer, Overlap, Schedule, TimerPlan
from powerloop.timetable import CronTimetable

ALIVE = WorkerId("alive")
HOUR = timedelta(hours=1)
TIMETABLE = CronTimetable()


@dataclass
class Timed:
    """``once``: it has fired; its send is queued. ``often``: it has fired twice, for its session waits, and
    has held a tick back. ``fresh``: it has made two sessions. ``shy``: it has fired never, for a hook said
    so. ``idle``: paused. ``gone``: cancelled."""

    store: Store
    leases: Leases
    prefix: str = ""

    async def hold(self) -> None:
        """Drive them all."""
        await asyncio.to_thread(self.leases.renew, ALIVE, timedelta(minutes=5))
        soon = Schedule(every=HOUR)
        await self._make("once", Schedule(at=datetime.now(UTC)))
        often = await self._make("often", soon, overlap=Overlap.BUFFER_ONE)
        fresh = await self._make("fresh", soon, has_session=False)
        await self._shy()
        idle, gone = await self._make("idle", soon), await self._make("gone", soon)
        await self.store.timers.pause(idle, "not now")
        await self.store.timers.cancel(gone, "over")
        for _ in range(2):
            for timer_id in (often, fresh):
                await self.store.timers.postpone(timer_id, by=None, until=datetime.now(UTC))
            while (await self.store.timers.fire(TIMETABLE, 100)).more:
                pass
        await self.store.timers.trigger(often)

    async def _shy(self) -> None:
        await self.store.agents.announce([AnnouncedAgent(name="shy", model="m", asks_timers=True)])
        shy = await self._make("shy", Schedule(every=HOUR), agent="shy", has_session=False)
        timer = await self.store.timers.postpone(shy, by=None, until=datetime.now(UTC))
        while timer.asked_at is None:
            await self.store.timers.fire(TIMETABLE, 100)
            timer = await self.store.timers.find(shy)
        await self.store.timers.settle(timer, Veto("no"), TIMETABLE)

    async def _make(
        self,
        name: str,
        schedule: Schedule,
        *,
        has_session: bool = True,
        agent: str = "support",
        **fields: Overlap,
    ) -> TimerId:
        session_id = SessionId(f"{self.prefix}timed-{name}") if has_session else None
        if session_id is not None:
            await self.store.sessions.create(NewSession(id=session_id, agent="support"))
        plan = TimerPlan(schedule=schedule, input="wake up", **fields)
        new = NewTimer(id=TimerId(self.prefix + name), session_id=session_id, agent=agent, plan=plan)
        return (await self.store.timers.create(new, TIMETABLE)).id
