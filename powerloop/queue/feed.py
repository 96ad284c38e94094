"""The event feed of a process: reads sessions' streams over one connection."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from powerloop.kernel.events import Event
from powerloop.kernel.ids import SendId, SessionId
from powerloop.queue.cursors import BEGINNING, cursor_of, position_of
from powerloop.queue.ends import RedisEnds
from powerloop.queue.multiplexer import Multiplexer
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.stream import KEY
from powerloop.queue.watch import Reader

_SILENCE_S: Final = 1.0


class RedisEventFeed:
    """The `EventFeed` port over Redis streams.

    All readers of a process share one connection, whatever they read and from where. When Redis goes away,
    `read` goes on with empty batches until it is back; it raises where it begins.

    Args:
        redis_url: Where the streams are.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str) -> None:
        self._address = RedisAddress.parse(redis_url)
        self._multiplexer = Multiplexer(self._address)
        self._ends = RedisEnds(self._address)

    async def end_of(self, session_id: SessionId) -> str:
        self._multiplexer.check()
        try:
            entries = await self._multiplexer.client.xrevrange(KEY.format(session_id), count=1)
        except REDIS_TROUBLE as error:
            raise self._address.unavailable(error) from error
        return str(entries[0][0]) if entries else cursor_of(BEGINNING)

    async def read(self, session_id: SessionId, after: str) -> AsyncGenerator[Sequence[Event], None]:
        """As the port says.

        Raises:
            BrokerUnavailable: Redis does not answer as the reading begins, or the feed was closed.
            InvalidInput: `after` is no cursor.
        """
        reader = Reader(position_of(after))
        await self._multiplexer.join(session_id, reader)
        try:
            while True:
                yield await reader.take(_SILENCE_S)
                self._multiplexer.check()
                if reader.behind:
                    await self._multiplexer.catch_up(session_id, reader)
        finally:
            self._multiplexer.leave(session_id, reader)

    def ending(self, send_id: SendId) -> AbstractAsyncContextManager[asyncio.Event]:
        return self._ends.watch(send_id)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._ends.close()
        await self._multiplexer.close()
