"""What is asked to explain why a send is not running. It only reads."""

from typing import Protocol

from powerloop.kernel.explain.facts import LockFacts, SendFacts
from powerloop.kernel.ids import SendId, SessionId


class Explaining(Protocol):
    """The rows that tell of a send."""

    async def facts_of(self, send_id: SendId) -> SendFacts | None:
        """What the store knows of the send; `None` if there is none of that id.

        It is read in several statements: what moves meanwhile may be seen in two states.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        ...


class LockReader(Protocol):
    """Looks at session locks, from any process."""

    async def find(self, session_id: SessionId) -> LockFacts | None:
        """The session's lock; `None` if nobody holds it.

        Raises:
            BrokerUnavailable: the locks' service does not answer.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
