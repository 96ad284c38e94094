"""Sends that steer: how they become part of one that runs, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Merged
from powerloop.kernel.sends import Fence, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.double_texting import merged_input
from powerloop.store.memory.state import State


def merge(state: State, session: Session, send: Send, fence: Fence) -> Merged:
    """Merge the sends behind this one that steer, as `Journal.merge` says.

    Nothing is written if the send has an open call, or if its end was asked for: what it would take in would
    never be answered.
    """
    cancel_requested = send.cancel is not None
    has_open_call = any(not call.status.is_final for call in state.calls.get(send.id, {}).values())
    if cancel_requested or has_open_call:
        return Merged(seq=session.seq, messages=(), sends=(), cancel_requested=cancel_requested)
    steering = _steering(state, session, send)
    inputs = tuple(map(merged_input, steering))
    session = replace(state.append(session, send.id, fence.epoch, inputs), steering=0)
    state.sessions[session.id] = session
    state.sends[send.id] = replace(send, strikes=0)
    merged = tuple(replace(one, status=SendStatus.MERGED, ended_at=state.clock.now()) for one in steering)
    state.sends.update((one.id, one) for one in merged)
    return Merged(seq=session.seq, messages=inputs, sends=merged, cancel_requested=False)


def _steering(state: State, session: Session, send: Send) -> Sequence[Send]:
    behind = (state.sends[send_id] for send_id in state.queues[session.id][send.position :])
    return [
        one
        for one in behind
        # One whose cancel came before it was accepted has its turn, and is cancelled then.
        if one.status is SendStatus.QUEUED
        and one.policy is Policy.STEER
        and one.id not in state.early_cancels
    ]
