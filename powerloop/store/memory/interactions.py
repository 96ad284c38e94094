"""Questions to people, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.errors import InteractionClosed, InteractionNotFound
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import (
    Interaction,
    InteractionKind,
    InteractionStatus,
    Resolution,
    expire,
    resolve,
)
from powerloop.kernel.jsontypes import JSON, clean_text
from powerloop.kernel.ports.interactions import Answered
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
        kind: InteractionKind | None = None,
        status: InteractionStatus | None = InteractionStatus.OPEN,
        before: InteractionId | None = None,
        limit: int = 100,
    ) -> Sequence[Interaction]:
        found = [
            question
            for question in self._state.interactions.values()
            if (session_id is None or question.session_id == session_name(session_id))
            and (send_id is None or question.send_id == send_name(send_id))
            and kind in (None, question.kind)
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
            raise InteractionClosed(
                interaction_id, question.status, actor=question.actor, closed_at=question.closed_at
            )
        resolution = resolve(question.kind, answer)
        answered = _close(
            self._state,
            replace(
                question,
                status=InteractionStatus.ANSWERED,
                answer=cleaned(answer),
                actor=clean_text(actor),
            ),
        )
        _resolve_call(self._state, answered, resolution)
        return Answered(interaction=answered, ready=wake(self._state, answered.send_id))


def expire_questions(state: State, limit: int) -> Sequence[Send]:
    """As `Recovery.expire`."""
    now = state.clock.now()
    over = [
        (question.expires_at, question)
        for question in state.interactions.values()
        if question.status is InteractionStatus.OPEN and question.expires_at and question.expires_at <= now
    ]
    expired = [question for _, question in sorted(over, key=lambda pair: pair[0])[:limit]]
    for question in expired:
        _close(state, replace(question, status=InteractionStatus.EXPIRED))
        _resolve_call(state, question, expire(question))
    woken = [wake(state, send_id) for send_id in dict.fromkeys(one.send_id for one in expired)]
    return [send for send in woken if send is not None]


def _close(state: State, closed: Interaction) -> Interaction:
    state.interactions[closed.id] = closed = replace(closed, closed_at=state.clock.now())
    return closed


def _resolve_call(state: State, asked: Interaction, resolution: Resolution) -> None:
    """Have the call end, or wait to be run; one that waits no more stays as it is."""
    call = state.calls[asked.send_id][asked.call_id]
    if not waits(call):
        return
    if resolution.text is None:
        arguments = call.arguments if resolution.arguments is None else cleaned(resolution.arguments)
        call = replace(call, status=resolution.status, started_at=None, approved=True, arguments=arguments)
    else:
        text = clean_text(resolution.text)
        call = replace(call, status=resolution.status, result=text, ended_at=state.clock.now())
    state.calls[asked.send_id][call.id] = call


def wake(state: State, send_id: SendId) -> Send | None:
    """waiting → queued, if no call of the send waits any more."""
    send = state.sends[send_id]
    if send.status is not SendStatus.WAITING or any(map(waits, state.calls[send_id].values())):
        return None
    return state.make_ready(send, status=SendStatus.QUEUED, owner=None)


def _age(question: Interaction) -> tuple[object, ...]:
    return question.created_at, question.id
