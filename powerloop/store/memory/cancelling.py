"""Asking for the end of a send, in memory."""

from dataclasses import replace

from powerloop.kernel.sends import CancelEffect, Cancellation, CancelRequest, Send, SendStatus
from powerloop.store.memory.children import tell_parent
from powerloop.store.memory.state import State


def cancel(state: State, send: Send, request: CancelRequest) -> Cancellation:
    """Ask for the end of a send that is known; what it comes to, as `Sends.cancel` says."""
    early = state.early_cancels.pop(send.id, None)
    if send.status.is_final:
        return Cancellation(send_id=send.id, effect=CancelEffect.ENDED, send=send)
    send = state.sends[send.id] = replace(send, cancel=send.cancel or early or request)
    return _cancelled(state, send) if send.started_at is None else _requested(state, send)


def _cancelled(state: State, send: Send) -> Cancellation:
    """End a send that has not started."""
    ended = replace(send, status=SendStatus.CANCELLED, ended_at=state.clock.now())
    send = state.sends[send.id] = ended
    session = state.sessions[send.session_id]
    was_head = session.finished == send.position - 1
    ready = state.advance(session) if was_head else None
    return Cancellation(
        send_id=send.id,
        effect=CancelEffect.CANCELLED,
        send=send,
        ready=ready,
        parent=tell_parent(state, send),
    )


def _requested(state: State, send: Send) -> Cancellation:
    """Have a send that has started ended by a worker."""
    if send.status is SendStatus.RUNNING:
        return Cancellation(send_id=send.id, effect=CancelEffect.REQUESTED, send=send)
    ready = state.make_ready(send, status=SendStatus.QUEUED, owner=None)
    return Cancellation(send_id=send.id, effect=CancelEffect.REQUESTED, send=ready, ready=ready)
