"""Firing timers, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

from uuid6 import uuid7

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.firing import Facts, Order, Step, judge, made_by, ordered, release, settle
from powerloop.kernel.hooks.timers import TimerAnswer
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.ports.timers import Fired
from powerloop.kernel.ports.timetable import Timetable
from powerloop.kernel.sends import CancelRequest, Send, SendStatus
from powerloop.kernel.sessions import NewSession, SessionStatus
from powerloop.kernel.timers import Firing, FiringOutcome, Timer, TimerStatus
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.sessions import add_session
from powerloop.store.memory.state import State

#: How long the hooks of a tick are waited for before it is asked about again.
_ASKING: Final = timedelta(seconds=30)
#: Before any tick: no beat has ever been away.
_EVER: Final = datetime(1, 1, 1, tzinfo=UTC)


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

    def fire(self, timetable: Timetable, limit: int) -> Fired:
        """As `Timers.fire`."""
        now = self._state.clock.now()
        held = [timer for timer in self._armed() if timer.held_at and not self._is_open(timer)][:limit]
        due = [timer for timer in self._due(now) if timer not in held][:limit]
        asked: list[Timer] = []
        # What is held back has its turn before what is due of the same timer.
        done = [self.carry_out(release(timer, now)) for timer in held]
        for timer in due:
            stepped = self._judged(timer, timetable, now)
            done.append(self.carry_out(stepped))
            if stepped.timer.asked_at == now:
                asked.append(stepped.timer)
        fired = _summed(done, tuple(asked))
        return self._looking_ahead(fired, is_full=len(due) >= limit or len(held) >= limit)

    def settle(self, timer: Timer, answer: TimerAnswer, timetable: Timetable) -> Fired:
        """As `Timers.settle`, of a timer that is asked about."""
        now = self._state.clock.now()
        stepped = settle(timer, answer, timetable, self._facts(timer), now)
        return _summed([self.carry_out(stepped)], ())

    def carry_out(self, stepped: Step) -> Done:
        """Write what the step says."""
        ready: list[Send] = []
        ended: list[Send] = []
        if stepped.ends and (cut := self._ask_to_end(stepped)):
            (ended if cut.status is SendStatus.RUNNING else ready).append(cut)
        send_id = None
        if stepped.order:
            send, is_head = self._accept(stepped.timer, stepped.order)
            send_id = send.id
            stepped = made_by(stepped, send.id)
            if is_head:
                ready.append(send)
        self._state.timers[stepped.timer.id] = stepped.timer
        its = self._state.firings.setdefault(stepped.timer.id, {})
        its.update((firing.tick_at, firing) for firing in stepped.firings)
        return Done(send_id=send_id, ready=tuple(ready), ended=tuple(ended))

    def _armed(self) -> Sequence[Timer]:
        return [one for one in self._state.timers.values() if one.status is TimerStatus.ARMED]

    def _due(self, now: datetime) -> Sequence[Timer]:
        unasked = (one for one in self._armed() if one.asked_at is None or one.asked_at < now - _ASKING)
        due = ((one.due_at, one) for one in unasked if one.due_at is not None and one.due_at <= now)
        return [timer for _, timer in sorted(due, key=lambda pair: (pair[0], pair[1].id))]

    def _judged(self, timer: Timer, timetable: Timetable, now: datetime) -> Step:
        facts = self._facts(timer)
        agent = self._state.agents.get(timer.agent)
        asks = agent is not None and agent.asks_timers
        return judge(timer, timetable, facts, now, self._state.back_at or _EVER, asks=asks)

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

    def _ask_to_end(self, stepped: Step) -> Send | None:
        """Ask for the end of the send before; it, if a worker is to hear of it."""
        assert stepped.ends is not None
        send = self._state.sends.get(stepped.ends)
        if send is None or send.status.is_final:
            return None
        reason = f"the timer {stepped.timer.id} fired again"
        request = CancelRequest(reason=reason, actor="", at=self._state.clock.now())
        send = self._state.sends[send.id] = replace(send, cancel=send.cancel or request)
        if send.status is SendStatus.RUNNING:
            return send
        if send.dispatched_at is None:
            return None
        return self._state.make_ready(send, status=SendStatus.QUEUED, owner=None)

    def _looking_ahead(self, fired: Fired, *, is_full: bool) -> Fired:
        now = self._state.clock.now()
        unasked = (one for one in self._armed() if one.asked_at is None or one.asked_at < now - _ASKING)
        due = min((one.due_at for one in unasked if one.due_at is not None), default=None)
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
