"""The verbs of interactions: list what people are asked, and answer."""

from collections.abc import Sequence
from typing import Any

from powerloop.client.answers import checked_answer
from powerloop.client.choices import chosen
from powerloop.client.publishing import published
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import InteractionNotFound
from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus


class InteractionVerbs(Verbs):
    """What a producer does with questions to people."""

    async def interactions(
        self,
        *,
        session_id: str | None = None,
        send_id: str | None = None,
        kind: InteractionKind | str | None = None,
        status: InteractionStatus | str | None = InteractionStatus.OPEN,
        before: str | None = None,
        limit: int = 100,
    ) -> Sequence[Interaction]:
        """Questions to people, latest first.

        Args:
            session_id: Only those of this session.
            send_id: Only those of this send.
            kind: Only those that ask this, ``input``, ``approval`` or ``in_doubt``.
            status: Only those in this state, ``open`` (default), ``answered``, ``expired`` or ``withdrawn``;
                `None`: all.
            before: The last interaction of the page before; the next page comes.
            limit: At most so many.

        Raises:
            InvalidInput: there is no such kind or state.
        """
        return await self._backend.store.interactions.list(
            session_id=SessionId(session_id) if session_id else None,
            send_id=SendId(send_id) if send_id else None,
            kind=None if kind is None else chosen(InteractionKind, kind, "kind of interaction"),
            status=None if status is None else chosen(InteractionStatus, status, "state of an interaction"),
            before=InteractionId(before) if before else None,
            limit=limit,
        )

    async def get_interaction(self, interaction_id: str) -> Interaction:
        """The question as it is now.

        Raises:
            InteractionNotFound: there is none of that id.
        """
        interaction = await self._backend.store.interactions.find(InteractionId(interaction_id))
        if interaction is None:
            raise InteractionNotFound(interaction_id)
        return interaction

    async def answer(
        self,
        interaction_id: str,
        value: Any,  # noqa: ANN401 - any JSON may be an answer
        actor: str = "",
    ) -> Interaction:
        """Answer a question. The first answer wins; its send goes on once nothing else keeps it waiting.

        A question whose time is over is closed within about a second; an answer that comes before that is
        taken.

        Args:
            interaction_id: The question.
            value: To a question of the kind ``input``, any JSON that matches its schema and is one of its
                choices, where it has them. To an ``approval``, ``{"action": "approve"}``,
                ``{"action": "edit", "arguments": {…}}`` or ``{"action": "deny", "reason": "for the model"}``.
                Of a call ``in_doubt``, ``{"action": "done", "result": "for the model"}``,
                ``{"action": "run"}`` or ``{"action": "give_up"}``.
            actor: Who answers, for the eyes of people.

        Raises:
            InteractionNotFound: there is none of that id.
            InteractionClosed: it was answered before, its time was over, or its send ended without it.
            InvalidInput: this is no answer to it; every problem is in the message.
        """
        asked = await self.get_interaction(interaction_id)
        # One that is closed is said to be so by the store.
        answer = checked_answer(asked, value) if asked.status is InteractionStatus.OPEN else None
        answered = await self._backend.store.interactions.answer(asked.id, answer, actor=actor)
        if answered.ready:
            await published(self._backend.dispatcher, answered.ready)
        return answered.interaction
