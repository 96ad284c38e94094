"""The sends of sub-agents: how they start, and what their end does to their parents, in memory."""

import math
from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Lineage, NewSend, Send, SendStatus
from powerloop.kernel.sessions import Lifecycle, SessionStatus
from powerloop.kernel.subagents import (
    child_send_id,
    delivery_of,
    full_note,
    is_told,
    outcome_at_start,
    outcome_of,
)
from powerloop.kernel.suspension import NewChild, Suspension
from powerloop.kernel.workflows import RunAdvance
from powerloop.store.inputs import checked_send, checked_session, send_name
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.interactions import wake
from powerloop.store.memory.sessions import add_session
from powerloop.store.memory.state import State
from powerloop.store.memory.timer_closing import cancel_timers
from powerloop.store.memory.workflow_ends import land


def start_children(state: State, send: Send, suspension: Suspension) -> tuple[Send, ...]:
    """Start the sub-agents that calls of the send ask for, as `Journal.suspend` says; their sends.

    One that was started before, by a suspension whose end nobody heard of, is not started again.
    """
    calls = state.calls.get(send.id, {})
    room = suspension.max_descendants - sum(
        one.lineage is not None and one.root_id == send.root_id != one.id for one in state.sends.values()
    )
    berths = _berths(state, send, suspension.max_breadth)
    started = []
    for child in suspension.children:
        call = calls.get(CallId(clean_text(child.call_id)))
        if call is None or call.status.is_final:
            continue
        there = state.sends.get(child.send_id)
        if there is None and room > 0 and berths > 0:
            there, room, berths = _start(state, child), room - 1, berths - 1
        note = full_note(suspension, is_tree_full=room <= 0)
        if outcome := outcome_at_start(child, there, note):
            state.end_calls(send.id, (outcome,))
        else:
            calls[call.id] = replace(call, status=CallStatus.WAITING)
        started += [there] if there and there.status is SendStatus.QUEUED else []
    return tuple(started)


def tell_parent(state: State, child: Send) -> Send | RunAdvance | None:
    """Take the result of a sub-agent that has just ended to its parent, as `Journal.finish` says.

    Returns what is to be published: the parent's send if it waits for nothing more, or the send that takes
    the result there if it is the head of its session. The end of a leaf of a workflow
    is told to its run. A send that a producer made has nobody to tell.
    """
    lineage = child.lineage
    if lineage is None:
        return None
    if lineage.leaf is not None:
        return land(state, child, lineage.leaf)
    _close_ephemeral(state, child)
    session, parent = state.sessions.get(lineage.session_id), state.sends.get(lineage.send_id)
    if session is None or parent is None or not is_told(parent, child, lineage):
        return None
    if lineage.awaited:
        _end_wait(state, outcome_of(child, lineage), lineage)
        return wake(state, parent.id)
    if session.status is SessionStatus.CLOSED:
        return None
    accepted = accept_in(state, session, checked_send(delivery_of(child, lineage)))
    return accepted.send if accepted.is_head else None


def bound_to(state: State, send_id: SendId) -> Sequence[Send]:
    """As `Sends.bound_to`."""
    bound, level = [], {send_name(send_id)}
    while level:
        below = [send for send in state.sends.values() if send.lineage and send.lineage.send_id in level]
        below = sorted((send for send in below if _is_bound(state, send)), key=lambda send: send.id)
        bound += [send for send in below if not send.status.is_final]
        level = {send.id for send in below}
    return bound


def is_orphan(state: State, send: Send) -> bool:
    """Whether the send of a sub-agent is to end because its parent has, and nobody has asked for it yet."""
    parent = state.sends.get(send.lineage.send_id) if send.lineage else None
    lost_parent = parent is not None and parent.status in (SendStatus.CANCELLED, SendStatus.FAILED)
    return lost_parent and not send.status.is_final and send.cancel is None and _is_bound(state, send)


def _berths(state: State, send: Send, limit: int | None) -> float:
    """How many sub-agents more the round may have: others of it may have been started before."""
    if limit is None:
        return math.inf
    calls = state.calls.get(send.id, {}).values()
    last = max((call.round for call in calls), default=0)
    started = (child_send_id(send.id, call.id) in state.sends for call in calls if call.round == last)
    return limit - sum(started)


def _start(state: State, child: NewChild) -> Send:
    session = add_session(state, checked_session(child.session))
    new = NewSend(
        id=child.send_id,
        session_id=session.id,
        content=child.content,
        policy=Policy.ENQUEUE,
        priority=child.priority,
        metadata=child.metadata,
    )
    return accept_in(state, session, checked_send(new), child.lineage).send


def _close_ephemeral(state: State, child: Send) -> None:
    session = state.sessions[child.session_id]
    if session.origin and session.origin.lifecycle is Lifecycle.EPHEMERAL:
        state.sessions[session.id] = replace(
            session, status=SessionStatus.CLOSED, updated_at=state.clock.now()
        )
        cancel_timers(state, session.id)


def _end_wait(state: State, outcome: ToolOutcome, lineage: Lineage) -> None:
    """End the call of the parent, if it waits."""
    call = state.calls[lineage.send_id].get(lineage.call_id)
    if call is not None and call.status is CallStatus.WAITING:
        state.end_calls(lineage.send_id, (outcome,))


def _is_bound(state: State, send: Send) -> bool:
    origin = state.sessions[send.session_id].origin
    return origin is not None and origin.lifecycle.is_bound
