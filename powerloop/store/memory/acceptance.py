"""Accepting sends, in memory."""

from dataclasses import replace

from powerloop.kernel.accepting import accepted_send
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Accepted, CancelRequest, Lineage, NewSend, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.store.admission import refusal, same_send
from powerloop.store.double_texting import ends_head, policy_of, reason_of
from powerloop.store.memory.state import State


def accept_in(
    state: State, session: Session | None, new: NewSend, lineage: Lineage | None = None
) -> Accepted:
    """Accept a send; errors as `Sends.accept`.

    Args:
        state: Every row.
        session: The session, as it stands.
        new: The send, as `checked_send` returns it.
        lineage: Where it comes from, if it is a sub-agent's.
    """
    if earlier := _earlier(state, new):
        return Accepted(send=earlier, created=False, is_head=False)
    if refused := refusal(session, new):
        raise refused
    assert session is not None
    policy, is_head = policy_of(session, new), session.pending == 0
    interrupted = _interrupt(state, session, new, policy) if ends_head(policy) else None
    session = replace(
        session,
        accepted=session.accepted + 1,
        steering=session.steering + (policy is Policy.STEER and not is_head),
        updated_at=state.clock.now(),
    )
    send = replace(_queued(state, session, new, policy), lineage=lineage)
    state.sessions[session.id] = session
    state.sends[send.id] = send
    if is_head:
        send = state.make_ready(send)
    state.queues.setdefault(session.id, []).append(send.id)
    if send.idempotency_key is not None:
        state.keys[session.id, send.idempotency_key] = send.id
    ready = interrupted if interrupted and interrupted.status is SendStatus.QUEUED else None
    return Accepted(send=send, created=True, is_head=is_head, interrupted=interrupted, ready=ready)


def _earlier(state: State, new: NewSend) -> Send | None:
    """The send that was accepted before under the same key or the same id."""
    if new.idempotency_key is not None:
        known = state.keys.get((new.session_id, new.idempotency_key))
        if known is not None:
            return state.sends[known]
    earlier = state.sends.get(new.id)
    return same_send(earlier, new) if earlier else None


def _interrupt(state: State, session: Session, new: NewSend, policy: Policy) -> Send | None:
    """Ask for the end of the send that has started; that one, if there is one."""
    head = state.head(session)
    if head is None or head.started_at is None or head.status.is_final:
        return None
    if policy is Policy.ROLLBACK:
        state.rolled_back.add(head.id)
    request = CancelRequest(reason=reason_of(policy, new.id), actor="", at=state.clock.now())
    head = state.sends[head.id] = replace(head, cancel=head.cancel or request)
    if head.status is SendStatus.RUNNING:
        return head
    # Its transcript is to be closed, which takes a worker.
    return state.make_ready(head, status=SendStatus.QUEUED, owner=None)


def _queued(state: State, session: Session, new: NewSend, policy: Policy) -> Send:
    spec = session.origin.spec if session.origin else None
    now, place = state.clock.now(), session.accepted
    return accepted_send(new, policy, place, now, agent=session.agent, spec=spec, is_head=False)
