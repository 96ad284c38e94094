"""The queue of each session, in memory."""

from collections.abc import Collection, Sequence

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject, clean_text
from powerloop.kernel.sends import (
    Accepted,
    CancelEffect,
    Cancellation,
    CancelRequest,
    NewSend,
    Send,
    SendStatus,
)
from powerloop.store.inputs import checked_send, checked_send_id, send_name, session_name
from powerloop.store.matching import has_metadata
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.cancelling import cancel
from powerloop.store.memory.children import bound_to
from powerloop.store.memory.state import State


class MemorySends:
    """The `Sends` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def accept(self, new: NewSend) -> Accepted:
        new = checked_send(new)
        return accept_in(self._state, self._state.sessions.get(new.session_id), new)

    async def find(self, send_id: SendId) -> Send | None:
        return self._state.sends.get(send_name(send_id))

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        status: SendStatus | Collection[SendStatus] | None = None,
        agent: str | None = None,
        metadata: JSONObject | None = None,
        root_id: SendId | None = None,
        before: SendId | None = None,
        limit: int = 100,
    ) -> Sequence[Send]:
        of = None if session_id is None else session_name(session_id)
        key = _age if of is None else _place
        listed = [send for send in self._state.sends.values() if of in (None, send.session_id)]
        if before is not None:
            edge = next((send for send in listed if send.id == send_name(before)), None)
            listed = [send for send in listed if edge is not None and key(send) < key(edge)]
        statuses = (status,) if isinstance(status, SendStatus) else status
        found = [
            send
            for send in listed
            if (statuses is None or send.status in statuses)
            and (root_id is None or (send.lineage and send.root_id == send_name(root_id)))
            and agent in (None, send.agent)
            and has_metadata(send.metadata, metadata or {})
        ]
        return sorted(found, key=key, reverse=True)[: max(limit, 0)]

    async def cancel(self, send_id: SendId, *, reason: str = "", actor: str = "") -> Cancellation:
        request = CancelRequest(
            reason=clean_text(reason), actor=clean_text(actor), at=self._state.clock.now()
        )
        send_id = checked_send_id(send_id)
        send = self._state.sends.get(send_id)
        if send is None:
            self._state.early_cancels.setdefault(send_id, request)
            return Cancellation(send_id=send_id, effect=CancelEffect.REMEMBERED, send=None)
        return cancel(self._state, send, request)

    async def bound_to(self, send_id: SendId) -> Sequence[Send]:
        return bound_to(self._state, send_id)


def _age(send: Send) -> tuple[object, ...]:
    return send.created_at, send.id


def _place(send: Send) -> tuple[object, ...]:
    return (send.position,)
