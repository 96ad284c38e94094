"""Asking the hooks of agents about timers that are due, and doing what they say."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.dispatch import activation_of
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.firing import asked_agent
from powerloop.kernel.hooks.contexts import TimerFiring
from powerloop.kernel.hooks.timers import decide_firing
from powerloop.kernel.ids import SessionId, TimerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.store import Sessions
from powerloop.kernel.ports.timers import Timers
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import Send
from powerloop.kernel.timer_text import render
from powerloop.kernel.timers import Timer

logger = logging.getLogger("powerloop.timers")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerAsker:
    """Asks, any number at once. A question that gets lost is put again by a beat, after half a minute."""

    timers: Timers
    sessions: Sessions
    agents: AgentRegistry
    timetable: Timetable
    dispatcher: Dispatcher
    #: Tells whoever runs a send that it is asked to end.
    tell_end: Callable[[Send], Awaitable[object]]

    async def ask(self, timer_id: TimerId) -> None:
        """Ask about the tick of the timer that is due, if it is still to be asked about.

        Whatever goes wrong, a beat has it asked about again.
        """
        try:
            await self._ask(timer_id)
        except StoreUnavailable as error:
            logger.warning("timer not asked about", extra={"timer_id": timer_id, "error": str(error)})
        except Exception:
            logger.exception("timer not asked about", extra={"timer_id": timer_id})

    async def _ask(self, timer_id: TimerId) -> None:
        timer = await self.timers.find(timer_id)
        if timer is None or timer.asked_at is None or timer.tick_at is None:
            return
        session = await self.sessions.find(timer.session_id) if timer.session_id else None
        name = asked_agent(timer, session)
        if name not in self.agents:
            logger.warning("no such agent here", extra={"timer_id": timer_id, "agent": name})
            return
        agent = self.agents.get(name)
        answer = await decide_firing(agent.hooks, _firing(timer, agent.deps))
        fired = await self.timers.settle(timer, answer, self.timetable)
        logger.info("timer asked about", extra={"timer_id": timer_id, "answer": type(answer).__name__})
        await self.dispatcher.publish([activation_of(send) for send in fired.ready])
        for send in fired.ended:
            await self.tell_end(send)


def _firing(timer: Timer, deps: object) -> TimerFiring:
    assert timer.tick_at is not None, "a tick is asked about"
    schedule, number = timer.plan.schedule, timer.fires + 1
    text = render(timer.plan.input, timer.id, timer.tick_at, number, schedule.tz)
    return TimerFiring(
        session_id=timer.session_id or SessionId(""),
        agent=timer.agent,
        timer_id=timer.id,
        tick_at=timer.tick_at,
        due_at=timer.due_at or timer.tick_at,
        content=(TextBlock(text=text),),
        metadata=timer.plan.metadata,
        deps=deps,
    )
