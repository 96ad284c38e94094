"""Firing timers, in memory."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from operator import itemgetter

from uuid6 import uuid7

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.firing import (
    Facts,
    Order,
    Step,
    asked_agent,
    judge,
    made_by,
    ordered,
    release,
    settle,
    unfollowable,
)
from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import CancelEffect, CancelRequest, Send, SendStatus
from powerloop.kernel.sessions import NewSession, SessionStatus
from powerloop.kernel.timers import (
    A_WHILE,
    ASKED_AGAIN,
    ASKED_LONG,
    EVER,
    Firing,
    FiringOutcome,
    Timer,
    TimerStatus,
)
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.cancelling import cancel
from powerloop.store.memory.sessions import add_session
from powerloop.store.memory.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What carrying a step out came to."""

    send_id: SendId | None = None
    ready: tuple[Send, ...] = ()
    ended: tuple[Send, ...] = ()


class MemoryFiring:
    """Fires the timers of a `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def fire(self, timetable: Timetable, limit: int, agents: Collection[str] | None) -> Fired:
        """As `Timers.fire`."""
        now = self._state.clock.now()
        held = [one for one in self._armed(agents) if one.held_at and not self._is_open(one)][:limit]
        due = [timer for timer in self._due(now, agents) if timer not in held][:limit]
        asked: list[Timer] = []
        # What is held back has its turn before what is due of the same timer.
        done = [self.carry_out(timer, release(timer, now)) for timer in held]
        for timer in due:
            stepped = self._judged(timer, timetable, now)
            done.append(self.carry_out(timer, stepped))
            if stepped.timer.asked_at == now:
                asked.append(stepped.timer)
        fired = _summed(done, tuple(asked))
        return self._looking_ahead(fired, agents, is_full=len(due) >= limit or len(held) >= limit)

    def settle(self, timer: Timer, answer: TimerAnswer, timetable: Timetable) -> Fired:
        """As `Timers.settle`, of a timer that is asked about."""
        now = self._state.clock.now()
        stepped = settle(timer, answer, timetable, self._facts(timer), now)
        return _summed([self.carry_out(timer, stepped)], ())

    def carry_out(self, timer: Timer, stepped: Step) -> Done:
        """Write what the step of the timer says; one that makes no sense after all pauses it."""
        ready: list[Send] = []
        ended: list[Send] = []
        if stepped.ends and (before := self._state.sends.get(stepped.ends)):
            now = self._state.clock.now()
            request = CancelRequest(reason=f"the timer {timer.id} fired again", actor="", at=now)
            cut = cancel(self._state, before, request)
            ready += [cut.ready] if cut.ready else []
            ended += [cut.send] if cut.send and cut.effect is not CancelEffect.ENDED else []
        send_id = None
        if stepped.order:
            try:
                send, is_head = self._accept(stepped.timer, stepped.order)
            except InvalidInput as error:
                return self.carry_out(timer, unfollowable(timer, error))
            send_id = send.id
            stepped = made_by(stepped, send.id)
            if is_head:
                ready.append(send)
        self._state.timers[stepped.timer.id] = stepped.timer
        its = self._state.firings.setdefault(stepped.timer.id, {})
        its.update((firing.tick_at, firing) for firing in stepped.firings)
        return Done(send_id=send_id, ready=tuple(ready), ended=tuple(ended))

    def _armed(self, agents: Collection[str] | None) -> Iterator[Timer]:
        for one in list(self._state.timers.values()):
            if one.status is TimerStatus.ARMED and (agents is None or one.agent in agents):
                yield one

    def _unasked(self, now: datetime, agents: Collection[str] | None) -> Iterator[tuple[datetime, Timer]]:
        for one in self._armed(agents):
            if one.due_at is None:
                continue
            patience = ASKED_AGAIN if one.due_at > now - A_WHILE else ASKED_LONG
            if one.asked_at is None or one.asked_at < now - patience:
                yield one.due_at, one

    def _due(self, now: datetime, agents: Collection[str] | None) -> Sequence[Timer]:
        due = [(due_at, one.id, one) for due_at, one in self._unasked(now, agents) if due_at <= now]
        return [timer for _, _, timer in sorted(due, key=itemgetter(0, 1))]

    def _judged(self, timer: Timer, timetable: Timetable, now: datetime) -> Step:
        facts = self._facts(timer)
        session = self._state.sessions.get(timer.session_id) if timer.session_id else None
        agent = self._state.agents.get(asked_agent(timer, session))
        asks = agent is not None and agent.asks_timers
        return judge(timer, timetable, facts, now, self._state.back_at or EVER, asks=asks)

    def _facts(self, timer: Timer) -> Facts:
        session = self._state.sessions.get(timer.session_id) if timer.session_id else None
        return Facts(
            is_closed=session is not None and session.status is SessionStatus.CLOSED,
            is_open=self._is_open(timer),
            failures=self._failures(timer),
        )

    def _is_open(self, timer: Timer) -> bool:
        last = self._state.sends.get(timer.last_send_id) if timer.last_send_id else None
        return last is not None and not last.status.is_final

    def _failures(self, timer: Timer) -> int:
        firings = self._state.firings.get(timer.id, {}).values()
        fired = [one for one in firings if one.outcome is FiringOutcome.FIRED and one.at > timer.armed_at]
        sends = (self._state.sends.get(one.send_id) for one in _latest(fired) if one.send_id)
        ended = [send for send in sends if send is not None and send.status.is_final]
        failed = takewhile(lambda send: send.status is SendStatus.FAILED, ended)
        return min(sum(1 for _ in failed), timer.plan.pause_after or 0)

    def _accept(self, timer: Timer, order: Order) -> tuple[Send, bool]:
        """The send of the order, and whether it is new and the head of its session."""
        session_id = timer.session_id
        if session_id is None:
            session_id = self._fresh(timer, order)
        new = ordered(order, session_id, SendId(str(uuid7())))
        accepted = accept_in(self._state, self._state.sessions.get(session_id), checked_send(new))
        return accepted.send, accepted.is_head

    def _fresh(self, timer: Timer, order: Order) -> SessionId:
        new = NewSession(id=SessionId(str(uuid7())), agent=timer.agent, metadata=dict(order.metadata))
        return add_session(self._state, checked_session(new)).id

    def _looking_ahead(self, fired: Fired, agents: Collection[str] | None, *, is_full: bool) -> Fired:
        now = self._state.clock.now()
        due = min((due_at for due_at, _ in self._unasked(now, agents)), default=None)
        wakes = min(
            (
                call.wakes_at
                for calls in self._state.calls.values()
                for call in calls.values()
                if call.status is CallStatus.WAITING and call.wakes_at is not None
            ),
            default=None,
        )
        return replace(
            fired,
            more=is_full or (due is not None and due <= now),
            sleeps=wakes is not None and wakes <= now,
            next_in=min((instant - now for instant in (due, wakes) if instant is not None), default=None),
        )


def _latest(firings: Sequence[Firing]) -> Sequence[Firing]:
    return sorted(firings, key=lambda one: one.number, reverse=True)


def _summed(done: Sequence[Done], asked: tuple[Timer, ...]) -> Fired:
    return Fired(
        ready=tuple(send for one in done for send in one.ready),
        ended=tuple(send for one in done for send in one.ended),
        asked=asked,
        count=sum(one.send_id is not None for one in done),
    )
