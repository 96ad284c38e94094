"""Watching a send from outside: its events as they happen, and its end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

from powerloop.client.reading import read_events
from powerloop.kernel.errors import BrokerUnavailable, ResultTimeout, SendNotFound
from powerloop.kernel.events import Event, MessageCommitted
from powerloop.kernel.ids import SendId, Seq, SessionId
from powerloop.kernel.messages import Message
from powerloop.kernel.ports.events import EventFeed
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Send

logger = logging.getLogger("powerloop.client")

#: How many seconds of silence make a watcher look at the row: the end of a send is pushed, but a stream can
#: be lost, and the row cannot.
SILENCE_S = 5

_RETRY_S = 1.0


class Watcher:
    """Waits for sends and reads their events."""

    def __init__(self, store: Store, feed: EventFeed) -> None:
        self._store = store
        self._feed = feed

    async def get(self, send_id: SendId) -> Send:
        """The send as it is now.

        Raises:
            SendNotFound: there is no such send.
        """
        send = await self._store.sends.find(send_id)
        if send is None:
            raise SendNotFound(send_id)
        return send

    async def ended(self, send: Send, timeout: float | None) -> Send:
        """The send, once it is final.

        Args:
            send: As it was when last seen.
            timeout: Seconds; `None` waits without end.

        Raises:
            ResultTimeout: it has not ended in time. It goes on.
        """
        if send.status.is_final:
            return send
        try:
            async with asyncio.timeout(timeout):
                return await self._ended(send)
        except TimeoutError:
            raise ResultTimeout(
                f"send {send.id} has not ended within {timeout:g} seconds; it goes on.",
                hint="Ask again with result(), or look at its status().",
            ) from None

    def events(self, send: Send, after: str) -> AsyncIterator[Event]:
        """The events of the send from the cursor on; see `read_events`."""
        return read_events(self._store, self._feed, send, after)

    async def messages(self, session_id: SessionId, after: Seq) -> AsyncIterator[Message]:
        """The messages of the session's log after `after`, then each new one, without end.

        Raises:
            BrokerUnavailable: the service of the stream does not answer.
        """
        cursor = await self._feed.end_of(session_id)
        async with aclosing(self._feed.read(session_id, cursor)) as batches:
            while True:
                for message in await self._store.sessions.messages(session_id, after=after):
                    after = message.seq
                    yield message
                async for batch in batches:
                    if not batch or any(isinstance(event.body, MessageCommitted) for event in batch):
                        break

    async def _ended(self, send: Send) -> Send:
        while True:
            try:
                return await self._pushed_end(send)
            except BrokerUnavailable as error:
                logger.warning("event stream unavailable", extra={"send_id": send.id, "error": str(error)})
                current = await self.get(send.id)
                if current.status.is_final:
                    return current
                await asyncio.sleep(_RETRY_S)

    async def _pushed_end(self, send: Send) -> Send:
        """Wait for the end to be told. The row is read while listening: no end falls in between."""
        async with self._feed.ending(send.id) as told:
            while True:
                # Before the row is read: what is told while it is read must not be forgotten.
                told.clear()
                current = await self.get(send.id)
                if current.status.is_final:
                    return current
                with suppress(TimeoutError):
                    async with asyncio.timeout(SILENCE_S):
                        await told.wait()
