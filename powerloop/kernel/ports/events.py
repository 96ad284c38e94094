"""Where events go, and where they are read."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from powerloop.kernel.events import Event
from powerloop.kernel.ids import SendId, SessionId


class EventSink(Protocol):
    """Takes events.

    Losing one must not hurt a send: sinks report their trouble themselves and never raise.
    """

    def emit(self, event: Event) -> None:
        """Take the event, without waiting."""
        ...

    async def flush(self) -> None:
        """Return when everything emitted before is where readers can see it, or is lost."""
        ...


class EventFeed(Protocol):
    """Reads what a session's sends tell, from any process."""

    async def end_of(self, session_id: SessionId) -> str:
        """The cursor after the latest event: where a reader starts who wants only what is new.

        Raises:
            BrokerUnavailable: the service of the stream does not answer.
        """
        ...

    def read(self, session_id: SessionId, after: str) -> AsyncGenerator[Sequence[Event], None]:
        """Events after the cursor, in batches, as they arrive, without end. ``""``: from the oldest that is
        kept.

        An empty batch means that about a second has passed without an event: a chance to look at the row.

        Raises:
            BrokerUnavailable: the service of the stream does not answer.
        """
        ...

    def ending(self, send_id: SendId) -> AbstractAsyncContextManager[asyncio.Event]:
        """While in the context, an event that is set when the send's end is told.

        It may be set without an end (a connection was made anew), and an end may go untold (the service was
        away): whoever waits looks at the row when it is set, and every few seconds.

        Raises:
            BrokerUnavailable: on entering: the service does not answer.
        """
        ...
