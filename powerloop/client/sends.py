"""The verbs of sends: send, find, list, cancel."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from powerloop.client.choices import chosen
from powerloop.client.handles import SendHandle
from powerloop.client.producer import SendOptions
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import Block
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Cancellation, Send, SendStatus


class SendVerbs(Verbs):
    """What a producer does with sends."""

    async def send(
        self,
        session_id: str,
        input: str | Block | Iterable[Block],
        *,
        id: str | None = None,
        idempotency_key: str | None = None,
        policy: Policy | str | None = None,
        priority: int = 0,
        metadata: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        queue_down: Literal["accept", "refuse"] = "accept",
    ) -> SendHandle:
        """Give the session an input. When this returns, the send is durable.

        Args:
            session_id: The session.
            input: A text, an image, or several blocks.
            id: The send's id, 1 to 200 characters; a UUIDv7 unless given. Who names it can cancel it without
                knowing whether this call succeeded. The same id is the same send.
            idempotency_key: The same key gives the same send, however often and wherever it is used; per
                session.
            policy: What happens while the session is busy; what the session says, unless given. ``enqueue``
                waits for its turn. ``reject`` refuses. ``interrupt`` cancels the send that has started, and
                keeps what that had come to. ``rollback`` cancels it, and the model sees nothing of it any
                more. ``steer`` becomes a message of the send that has started, at its next round, and is
                ``merged`` then; a plain send if that ends before.
            priority: 0 (default) to 9; sends of other sessions with a lower one are taken later.
            metadata: JSON that tools see, and that the send keeps.
            budget: What it may use, with all the sub-agents below it: `powerloop.kernel.limits.Budget`. It
                narrows what its agent allows. A send that has used it up is completed, with the stop reason
                ``budget``.
            queue_down: What happens while the broker does not answer: ``accept`` (default) takes the send, in
                two seconds more, and a beat publishes it later; ``refuse`` takes nothing.

        Raises:
            SessionNotFound: there is none of that id.
            SessionClosed: the session takes no sends.
            SessionBusy: the policy is ``reject`` and the session has sends that have not ended.
            QueueUnavailable: the broker does not answer, and `queue_down` is ``refuse``.
            InvalidInput: the input is empty, or an option is not what it must be.
        """
        options = SendOptions(
            policy=policy,
            idempotency_key=idempotency_key,
            priority=priority,
            metadata=metadata or {},
            budget=budget,
            id=id,
            queue_down=queue_down,
        )
        accepted = await self._producer.send(SessionId(session_id), input, options)
        return self._handle(accepted.send)

    async def get_send(self, send_id: str) -> SendHandle:
        """The handle of a send, in any process.

        Raises:
            SendNotFound: there is none of that id.
        """
        return self._handle(await self._watcher.get(SendId(send_id)))

    async def list_sends(
        self,
        *,
        session_id: str | None = None,
        status: SendStatus | str | Collection[SendStatus | str] | None = None,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        root_id: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Send]:
        """Sends, latest first.

        Args:
            session_id: Only those of this session.
            status: Only those in this state, or in one of these.
            agent: Only those of sessions of this agent.
            metadata: Only those whose metadata has all of these keys with these values.
            root_id: Only those of sub-agents in the tree of this send.
            before: The last send of the page before; the next page comes.
            limit: At most so many.

        Raises:
            InvalidInput: there is no such state.
        """
        return await self._backend.store.sends.list(
            session_id=SessionId(session_id) if session_id else None,
            status=_statuses(status),
            agent=agent,
            metadata=None if metadata is None else dict(metadata),
            root_id=SendId(root_id) if root_id else None,
            before=SendId(before) if before else None,
            limit=limit,
        )

    async def cancel(
        self,
        *send_ids: str,
        session_id: str | None = None,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        reason: str = "",
        actor: str = "",
    ) -> Sequence[Cancellation]:
        """Ask for the end of sends: of those named, or of every one that has not ended and matches.

        What it comes to depends on where the send is, and is the `effect` of each answer:

        * not started: it is ``cancelled`` now, and the session goes on;
        * running: its end is ``requested``. Its worker cuts the model call or the tool off within about a
          second, keeps what the model had written, and answers every open tool call. `SendHandle.result`
          tells when that is done;
        * waiting for a person, or between two attempts: ``requested``, and a worker is called to do the same;
        * final: it has ``ended``, and nothing changes;
        * unknown: ``remembered``. Should a send of this id be accepted later, it is cancelled instead of run.

        Asking again changes nothing: the first reason and actor stand. The sub-agents of a send end with it,
        and theirs, but for those that are detached. The sends of a session are cancelled
        from the last to the first, so that none of them starts because the one before it was cancelled. Sends
        that are accepted meanwhile are not among those that match.

        Args:
            *send_ids: The sends; then no criterion is given.
            session_id: Only those of this session.
            agent: Only those of sessions of this agent.
            metadata: Only those whose metadata has all of these keys with these values.
            reason: Why, for the eyes of people.
            actor: Who, likewise.

        Returns:
            What became of each: in the order of the ids, or by session, the last first.

        Raises:
            InvalidInput: neither ids nor a criterion are given, or both.
        """
        criteria = [given for given in (session_id, agent, metadata) if given]
        if bool(send_ids) == bool(criteria):
            raise InvalidInput(
                "a cancel is of sends by their ids, or of those that match.",
                hint="Give ids, or at least one of session_id, agent and metadata; not both.",
            )
        if send_ids:
            return await self._canceller.cancel_each(map(SendId, send_ids), reason=reason, actor=actor)
        return await self._canceller.cancel_found(
            session_id=SessionId(session_id) if session_id else None,
            agent=agent,
            metadata=dict(metadata) if metadata else None,
            reason=reason,
            actor=actor,
        )


def _statuses(
    status: SendStatus | str | Collection[SendStatus | str] | None,
) -> SendStatus | Collection[SendStatus] | None:
    match status:
        case None:
            return None
        case str():
            return chosen(SendStatus, status, "state of a send")
        case _:
            return [chosen(SendStatus, one, "state of a send") for one in status]
