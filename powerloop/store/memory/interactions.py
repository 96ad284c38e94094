"""Questions to people, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InteractionClosed, InteractionNotFound
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionStatus, resolve
from powerloop.kernel.jsontypes import JSON, clean_text
from powerloop.kernel.ports.store import Answered
from powerloop.kernel.sends import Send, SendStatus
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import send_name, session_name
from powerloop.store.memory.state import State, waits


class MemoryInteractions:
    """The `Interactions` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, interaction_id: InteractionId) -> Interaction | None:
        return self._state.interactions.get(InteractionId(clean_text(interaction_id)))

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        send_id: SendId | None = None,
        status: InteractionStatus | None = InteractionStatus.OPEN,
        before: InteractionId | None = None,
        limit: int = 100,
    ) -> Sequence[Interaction]:
        found = [
            question
            for question in self._state.interactions.values()
            if (session_id is None or question.session_id == session_name(session_id))
            and (send_id is None or question.send_id == send_name(send_id))
            and status in (None, question.status)
        ]
        if before is not None:
            edge = await self.find(before)
            found = [question for question in found if edge is not None and _age(question) < _age(edge)]
        return sorted(found, key=_age, reverse=True)[: max(limit, 0)]

    async def answer(self, interaction_id: InteractionId, answer: JSON, *, actor: str = "") -> Answered:
        question = await self.find(interaction_id)
        if question is None:
            raise InteractionNotFound(interaction_id)
        if question.status is not InteractionStatus.OPEN:
            raise InteractionClosed(interaction_id, question.status)
        resolution = resolve(question.kind, answer)
        closed = self._state.interactions[question.id] = replace(
            question,
            status=InteractionStatus.ANSWERED,
            answer=cleaned(answer),
            actor=clean_text(actor),
            closed_at=self._state.clock.now(),
        )
        calls = self._state.calls[question.send_id]
        if waits(calls[question.call_id]):
            final = resolution.status is not CallStatus.PENDING
            calls[question.call_id] = replace(
                calls[question.call_id],
                status=resolution.status,
                result=None if resolution.text is None else clean_text(resolution.text),
                started_at=calls[question.call_id].started_at if final else None,
                approved=not final,
                arguments=calls[question.call_id].arguments
                if resolution.arguments is None
                else cleaned(resolution.arguments),
                ended_at=self._state.clock.now() if final else None,
            )
        return Answered(interaction=closed, ready=self._wake(question.send_id))

    def _wake(self, send_id: SendId) -> Send | None:
        """waiting → queued, if no call of the send waits any more."""
        send = self._state.sends[send_id]
        if send.status is not SendStatus.WAITING or any(map(waits, self._state.calls[send_id].values())):
            return None
        return self._state.make_ready(send, status=SendStatus.QUEUED, owner=None)


def _age(question: Interaction) -> tuple[object, ...]:
    return question.created_at, question.id
