"""Timers whose sessions take no sends any more, in memory."""

from powerloop.kernel.ids import SessionId
from powerloop.kernel.timer_edges import cancelled
from powerloop.kernel.timers import SESSION_CLOSED
from powerloop.store.memory.state import State


def cancel_timers(state: State, session_id: SessionId) -> None:
    """Cancel the live timers of the session."""
    for timer in [one for one in state.timers.values() if one.session_id == session_id and one.is_live]:
        state.timers[timer.id] = cancelled(timer, SESSION_CLOSED, state.clock.now())
