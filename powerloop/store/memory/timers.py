"""Timers, in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from powerloop.kernel.errors import (
    SessionNotFound,
    TimerNotFound,
    TimerQuotaReached,
)
from powerloop.kernel.firing import stands_as_asked, trigger
from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send
from powerloop.kernel.timer_edges import (
    cancelled,
    new_timer,
    paused,
    postponed_by,
    resumed,
    told_again,
)
from powerloop.kernel.timers import Firing, NewTimer, Timer, TimerOwner, TimerStatus
from powerloop.store.admission import refuse_closed
from powerloop.store.inputs import session_name
from powerloop.store.memory.state import State
from powerloop.store.memory.timer_firing import MemoryFiring
from powerloop.store.timer_rows import checked_timer, named, timer_name


class MemoryTimers:
    """The `Timers` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._firing = MemoryFiring(state)

    async def create(self, new: NewTimer, timetable: Timetable) -> Timer:
        new = checked_timer(new)
        agent = self._agent_of(new)
        earlier = self._state.timers.get(new.id)
        now = self._state.clock.now()
        if earlier is None:
            self._check_quota(new, agent)
            made = self._state.timers[new.id] = named(new_timer(new, timetable, now), agent)
            return made
        changed = told_again(earlier, named(new, agent), timetable, now)
        self._state.timers[new.id] = changed = named(changed, agent)
        return changed

    async def find(self, timer_id: TimerId) -> Timer | None:
        return self._state.timers.get(timer_name(timer_id))

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        agent: str | None = None,
        status: Sequence[TimerStatus] | None = None,
        owner: TimerOwner | None = None,
        before: TimerId | None = None,
        limit: int = 100,
    ) -> Sequence[Timer]:
        found = [
            timer
            for timer in self._state.timers.values()
            if session_id in (None, timer.session_id)
            and agent in (None, timer.agent)
            and (status is None or timer.status in status)
            and owner in (None, timer.owner)
        ]
        found.sort(key=_age, reverse=True)
        if before is not None:
            edge = self._state.timers.get(timer_name(before))
            found = [timer for timer in found if edge is not None and _age(timer) < _age(edge)]
        return found[: max(limit, 0)]

    async def firings(self, timer_id: TimerId, *, limit: int = 100) -> Sequence[Firing]:
        its = self._state.firings.get(timer_name(timer_id), {})
        return [its[tick_at] for tick_at in sorted(its, reverse=True)][: max(limit, 0)]

    async def pause(self, timer_id: TimerId, reason: str) -> Timer:
        return self._change(timer_id, lambda timer, _now: paused(timer, reason))

    async def resume(self, timer_id: TimerId, timetable: Timetable) -> Timer:
        self._refuse_closed(timer_id)
        return self._change(timer_id, lambda timer, now: resumed(timer, timetable, now))

    async def postpone(self, timer_id: TimerId, *, by: timedelta | None, until: datetime | None) -> Timer:
        return self._change(timer_id, lambda timer, now: postponed_by(timer, by, until, now))

    async def cancel(self, timer_id: TimerId, reason: str) -> Timer:
        return self._change(timer_id, lambda timer, now: cancelled(timer, reason, now))

    async def trigger(self, timer_id: TimerId) -> tuple[Timer, Send, bool]:
        self._refuse_closed(timer_id)
        timer = self._get(timer_id)
        done = self._firing.carry_out(timer, trigger(timer, self._state.clock.now()))
        send = self._state.sends[done.send_id] if done.send_id else None
        assert send is not None, "a timer that fires makes a send"
        return self._get(timer_id), send, bool(done.ready)

    async def fire(self, timetable: Timetable, limit: int, *, agents: Collection[str] | None = None) -> Fired:
        return self._firing.fire(timetable, limit, agents)

    async def settle(self, asked: Timer, answer: TimerAnswer, timetable: Timetable) -> Fired:
        timer = self._state.timers.get(asked.id)
        if timer is None or not stands_as_asked(timer, asked):
            return Fired()
        return self._firing.settle(timer, answer, timetable)

    def _get(self, timer_id: TimerId) -> Timer:
        timer = self._state.timers.get(timer_name(timer_id))
        if timer is None:
            raise TimerNotFound(timer_id)
        return timer

    def _change(self, timer_id: TimerId, change: Callable[[Timer, datetime], Timer]) -> Timer:
        timer = self._get(timer_id)
        changed = change(timer, self._state.clock.now())
        self._state.timers[timer.id] = changed = replace(changed, reason=clean_text(changed.reason))
        return changed

    def _refuse_closed(self, timer_id: TimerId) -> None:
        timer = self._get(timer_id)
        session = self._state.sessions.get(timer.session_id) if timer.session_id else None
        refuse_closed(session)

    def _agent_of(self, new: NewTimer) -> str:
        if new.session_id is None:
            return new.agent
        session = self._state.sessions.get(session_name(new.session_id))
        if session is None:
            raise SessionNotFound(new.session_id)
        refuse_closed(session)
        return session.agent

    def _check_quota(self, new: NewTimer, agent: str) -> None:
        if new.quota is None:
            return
        live = [one for one in self._state.timers.values() if one.is_live and one.owner is TimerOwner.AGENT]
        if sum(one.session_id == new.session_id for one in live) >= new.quota.per_session:
            raise TimerQuotaReached(new.quota.per_session, "this session")
        limit = new.quota.per_agent
        if limit is not None and sum(one.agent == agent for one in live) >= limit:
            raise TimerQuotaReached(limit, f"the agent {agent!r}")


def _age(timer: Timer) -> tuple[datetime, str]:
    return timer.created_at, timer.id
