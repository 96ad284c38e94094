"""A send as it stands when it is accepted, for whoever writes it without reading it back."""

from datetime import datetime

from powerloop.kernel.ids import Epoch
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send, SendStatus
from powerloop.kernel.usage import Usage


def accepted_send(
    new: NewSend,
    policy: Policy,
    position: int,
    at: datetime,
    *,
    agent: str,
    spec: JSONObject | None,
    is_head: bool,
) -> Send:
    """The send, queued since `at`; the head of its session is dispatched then, too.

    Args:
        new: The send, as `checked_send` returns it.
        policy: What its own policy, or its session's, comes to.
        position: Its place in its session, from 1.
        at: The instant.
        agent: Of its session.
        spec: How that differs from what workers know.
        is_head: Whether it is the head of its session.
    """
    return Send(
        id=new.id,
        session_id=new.session_id,
        agent=agent,
        position=position,
        status=SendStatus.QUEUED,
        policy=policy,
        content=new.content,
        idempotency_key=new.idempotency_key,
        priority=new.priority,
        metadata=new.metadata,
        attempt=0,
        strikes=0,
        epoch=Epoch(0),
        owner=None,
        rounds=0,
        usage=Usage(),
        stop_reason=None,
        error=None,
        cancel=None,
        output=(),
        created_at=at,
        dispatched_at=at if is_head else None,
        started_at=None,
        ended_at=None,
        spec=spec,
        budget=new.budget,
    )
