"""Questions to people, as those see them who answer. One call is one transaction; each may raise
`StoreUnavailable`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from powerloop.kernel.ids import InteractionId, SendId, SessionId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus
from powerloop.kernel.jsontypes import JSON
from powerloop.kernel.sends import Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an answer brought about."""

    interaction: Interaction
    #: The send, if nothing keeps it waiting any more: it is queued now, and to be published.
    ready: Send | None


class Interactions(Protocol):
    """Questions to people."""

    async def find(self, interaction_id: InteractionId) -> Interaction | None:
        """The interaction, or `None`."""
        ...

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
        """Interactions, latest first (ties by id, descending).

        Args:
            session_id: Only those of this session.
            send_id: Only those of this send.
            kind: Only those that ask this.
            status: Only those in this state; `None`: in any.
            before: Only those after this one in the order of the list: the next page.
            limit: At most so many.
        """
        ...

    async def answer(self, interaction_id: InteractionId, answer: JSON, *, actor: str = "") -> Answered:
        """Answer it: the call becomes what `interactions.resolve` says; the first answer wins.

        If it was the last that its waiting send waited for, the send becomes queued in the same transaction.
        One whose time is over is open until `Recovery.expire` has closed it: an answer that comes before that
        wins. The schema and the choices of the question are checked by whoever takes the answer from a
        person.

        Raises:
            InteractionNotFound: there is none of that id.
            InteractionClosed: it was answered before, its time was over, or it was withdrawn.
            InvalidInput: it is not an answer to this question.
        """
        ...
