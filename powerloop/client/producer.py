"""The producer: accept a send, then publish it if it is its session's head."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from uuid6 import uuid7

from powerloop.client.cancelling import Canceller
from powerloop.client.choices import chosen
from powerloop.client.publishing import answers, published
from powerloop.kernel.errors import AgentUnknown, InvalidInput, QueueUnavailable
from powerloop.kernel.ids import MAX_ID_LENGTH, SendId, SessionId
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import Block, input_content
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.store import Store
from powerloop.kernel.queues import MAX_PRIORITY
from powerloop.kernel.sends import Accepted, NewSend, SendStatus
from powerloop.kernel.sessions import NewSession, Session

logger = logging.getLogger("powerloop.client")


class QueueDown(StrEnum):
    """What a producer wants of a send while the broker does not answer."""

    #: It is accepted, and published by a beat when the broker is back.
    ACCEPT = "accept"
    #: It is refused, and nothing is written.
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How a send is to be taken; the same for every producer, in Python or over the wire."""

    #: `Policy` or its value; `None`: what the session says.
    policy: Policy | str | None = None
    #: The same key gives the same send, per session.
    idempotency_key: str | None = None
    #: 0 to 9; higher goes first, across sessions.
    priority: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: What it may use; narrows what its agent allows.
    budget: Budget | None = None
    #: The send's id; made here unless given.
    id: str | None = None
    #: `QueueDown` or its value.
    queue_down: QueueDown | str = QueueDown.ACCEPT


class Producer:
    """Makes sessions and sends. What it accepted is durable before it is published."""

    def __init__(self, store: Store, dispatcher: Dispatcher, canceller: Canceller) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._canceller = canceller

    async def create_session(
        self,
        agent: str,
        session_id: str | None,
        metadata: Mapping[str, Any],
        *,
        policy: Policy | str | None = None,
        reuse: bool = False,
    ) -> Session:
        """Make a session of an agent that some worker knows.

        Args:
            agent: The agent's name.
            session_id: Its id; made here if `None`.
            metadata: Whatever the producer wants to find it by.
            policy: That of its sends which say nothing about it; `None`: what the agent says.
            reuse: Whether an existing session of that id is returned instead of refused.

        Raises:
            AgentUnknown: workers have announced agents, and none of that name.
            SessionExists: the id is taken, and `reuse` is not asked for.
            InvalidInput: the id is empty or too long, or there is no such policy.
        """
        given = None if policy is None else chosen(Policy, policy, "policy")
        of_agent = await self._policy_of(agent)
        new = NewSession(
            id=SessionId(_checked_id(session_id) if session_id is not None else str(uuid7())),
            agent=agent,
            metadata=dict(metadata),
            policy=given or of_agent,
        )
        return await (self._store.sessions.ensure(new) if reuse else self._store.sessions.create(new))

    async def send(
        self, session_id: SessionId, value: str | Block | Iterable[Block], options: SendOptions
    ) -> Accepted:
        """Accept the input, and publish it if its session is idle.

        Raises:
            SessionNotFound: there is no such session.
            SessionClosed: the session takes no sends.
            SessionBusy: the policy is ``reject`` and the session has not finished its sends.
            QueueUnavailable: the broker does not answer, and `queue_down` is ``refuse``.
            InvalidInput: the input is empty, or an option is not what it must be.
        """
        new = new_send(session_id, value, options)
        queue_down = chosen(QueueDown, options.queue_down, "choice for a queue that is down")
        if queue_down is QueueDown.REFUSE and not await answers(self._dispatcher):
            raise QueueUnavailable(hint="Try again, or send with queue_down='accept'.")
        return await self.accept(new)

    async def accept(self, new: NewSend) -> Accepted:
        """`send`, of a send that was made by `new_send` before."""
        accepted = await self._store.sends.accept(new)
        if accepted.interrupted:
            await self._canceller.tell(accepted.interrupted, accepted.ready)
        # One that was accepted before may have lost its message: its producer died before it could publish.
        retried = not accepted.created and accepted.send.status is SendStatus.QUEUED
        if (accepted.is_head or retried) and not await published(self._dispatcher, accepted.send):
            logger.warning("send accepted but not published", extra={"send_id": accepted.send.id})
        return accepted

    async def check_agent(self, agent: str) -> None:
        """Pass an agent that some worker knows.

        Raises:
            AgentUnknown: workers have announced agents, and none of that name.
        """
        await self._policy_of(agent)

    async def _policy_of(self, agent: str) -> Policy:
        """What the agent says.

        Raises:
            AgentUnknown: workers have announced agents, and none of that name.
        """
        policy = await self._store.agents.policy_of(agent)
        if policy is None and (known := await self._store.agents.names()):
            raise AgentUnknown(agent, known)
        return policy or Policy.ENQUEUE


def new_send(session_id: SessionId, value: str | Block | Iterable[Block], options: SendOptions) -> NewSend:
    """The send that the options describe.

    Raises:
        InvalidInput: the input is empty, or an option is not what it must be.
    """
    try:
        content = input_content(value)
    except TypeError as error:
        raise InvalidInput(f"the input cannot be sent: {error}.") from error
    if not content:
        raise InvalidInput("the input is empty.", hint="Give a text, a block, or a list of blocks.")
    if isinstance(options.priority, bool) or not 0 <= options.priority <= MAX_PRIORITY:
        raise InvalidInput(f"priority is a number from 0 to {MAX_PRIORITY}, not {options.priority!r}.")
    if options.idempotency_key is not None:
        _checked_id(options.idempotency_key, "an idempotency key")
    return NewSend(
        id=SendId(_checked_id(options.id) if options.id is not None else str(uuid7())),
        session_id=session_id,
        content=content,
        policy=None if options.policy is None else chosen(Policy, options.policy, "policy"),
        idempotency_key=options.idempotency_key,
        priority=options.priority,
        metadata=dict(options.metadata),
        budget=_checked_budget(options.budget),
    )


def _checked_budget(budget: object) -> Budget | None:
    if budget is not None and not isinstance(budget, Budget):
        raise InvalidInput(
            f"a budget is not {budget!r:.60}.", hint="Write Budget(...), of powerloop.kernel.limits."
        )
    return budget if budget and budget.is_limited else None


def _checked_id(value: object, what: str = "an id") -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidInput(f"{what} is a text of 1 to {MAX_ID_LENGTH} characters, not {value!r:.60}.")
    return value
