"""The wire contract of ``powerloop.enqueue``: what a producer without a database sends."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from powerloop.client.producer import Producer, SendOptions, new_send
from powerloop.kernel.codec import budget_from_json, content_from_json
from powerloop.kernel.errors import InvalidInput, StoreUnavailable
from powerloop.kernel.ids import MAX_ID_LENGTH, SessionId
from powerloop.kernel.sends import Accepted

_RETRY_S = 1.0

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH)]


class EnqueueRequest(BaseModel):
    """The keyword arguments of a ``powerloop.enqueue`` message. The message's id is the id of the send."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    #: Where the input goes. Made first, if it is not there and `agent` is given.
    session_id: Id
    #: A text, or content blocks: ``[{"type": "text", "text": "…"}]``.
    input: str | list[dict[str, Any]]
    #: The agent of the session, should it have to be made.
    agent: str | None = None
    #: `None`: what the session says.
    policy: str | None = None
    idempotency_key: Id | None = None
    priority: int = Field(default=0, ge=0, le=9)
    metadata: dict[str, Any] = Field(default_factory=dict)
    #: What the send may use: any of ``input_tokens``, ``output_tokens``, ``total_tokens``, ``cost`` (dollars)
    #: and ``wall_clock_s``.
    budget: dict[str, Any] | None = None


def parse_request(kwargs: Mapping[str, Any]) -> EnqueueRequest:
    """The request that the keyword arguments make.

    Raises:
        InvalidInput: something is missing, unknown or malformed; the message lists all of it.
    """
    try:
        return EnqueueRequest.model_validate(dict(kwargs))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        known = ", ".join(EnqueueRequest.model_fields)
        raise InvalidInput(
            f"powerloop.enqueue cannot be carried out: {problems}.", hint=f"Its keyword arguments: {known}."
        ) from error


async def accept_request(producer: Producer, message_id: str, request: EnqueueRequest) -> Accepted:
    """Accept the input, once: the same message again finds the send of its id.

    The message is the only copy until the row is committed, so a store that is away is waited for.

    Raises:
        SessionNotFound: there is no such session, and no agent to make it with.
        AgentUnknown: no worker runs that agent.
        SessionClosed: the session takes no sends.
        SessionBusy: the policy is ``reject`` and the session is busy.
        InvalidInput: the blocks, the policy, the budget or the id are malformed.
    """
    content = request.input if isinstance(request.input, str) else content_from_json(request.input)
    options = SendOptions(
        id=message_id,
        policy=request.policy,
        idempotency_key=request.idempotency_key,
        priority=request.priority,
        metadata=request.metadata,
        budget=None if request.budget is None else budget_from_json(request.budget),
    )
    # Refused as a whole before anything is written.
    new = new_send(SessionId(request.session_id), content, options)
    while True:
        try:
            if request.agent is not None:
                await producer.create_session(request.agent, request.session_id, {}, reuse=True)
            return await producer.accept(new)
        except StoreUnavailable:
            await asyncio.sleep(_RETRY_S)
