"""Reading the events of one send: from its stream, and from the store what the stream has lost."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from powerloop.client.following import Follower, Known
from powerloop.kernel.errors import SendNotFound
from powerloop.kernel.events import Event, SendEnded
from powerloop.kernel.ids import Seq
from powerloop.kernel.messages import Message
from powerloop.kernel.ports.events import EventFeed
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Send

#: How long a send may be silent, while others of its session speak, before its row is looked at.
_SILENCE_S: Final = 1.0

_PAGE: Final = 1_000


async def read_events(store: Store, feed: EventFeed, send: Send, after: str) -> AsyncGenerator[Event, None]:
    """The events of the send from the cursor on, its end the last of them.

    What the stream has lost by then is told by the store. While the service of the stream is away the row is
    looked at, so that the end is told in any case. The send does not depend on its readers: it goes on when
    they leave.

    Raises:
        BrokerUnavailable: the service of the stream does not answer as the reading begins.
        InvalidInput: `after` is no cursor.
        SendNotFound: the send was deleted.
        StoreUnavailable: the database does not answer.
    """
    follower = Follower(send, after)
    clock = asyncio.get_running_loop()
    looked_at = clock.time()
    async with aclosing(feed.read(send.session_id, after)) as batches:
        async for batch in batches:
            own = [event for event in batch if event.send_id == send.id]
            for event in own:
                for shown in await _shown(store, send, follower, event):
                    yield shown
                    if isinstance(shown.body, SendEnded):
                        return
            if own:
                looked_at = clock.time()
            elif not batch or clock.time() - looked_at > _SILENCE_S:
                looked_at = clock.time()
                if ending := await _ending(store, send, follower):
                    for told in ending:
                        yield told
                    return


async def _shown(store: Store, send: Send, follower: Follower, event: Event) -> Sequence[Event]:
    asked = follower.asks(event)
    return follower.take(event, None if asked is None else await _known(store, send, asked))


async def _ending(store: Store, send: Send, follower: Follower) -> Sequence[Event]:
    """What the store tells of a send that has ended; nothing while it has not."""
    if not (await _row(store, send)).status.is_final:
        return ()
    return follower.end(await _known(store, send, follower.seq))


async def _known(store: Store, send: Send, after: Seq) -> Known:
    messages = await _messages(store, send, after) if after else ()
    return Known(messages=messages, send=await _row(store, send))


async def _row(store: Store, send: Send) -> Send:
    row = await store.sends.find(send.id)
    if row is None:
        raise SendNotFound(send.id)
    return row


async def _messages(store: Store, send: Send, after: Seq) -> Sequence[Message]:
    """The send's messages after one of its own. They follow each other in the log."""
    messages: list[Message] = []
    while True:
        page = await store.sessions.messages(send.session_id, after=after, limit=_PAGE)
        messages += (message for message in page if message.send_id == send.id)
        if len(page) < _PAGE or page[-1].send_id != send.id:
            return messages
        after = page[-1].seq
