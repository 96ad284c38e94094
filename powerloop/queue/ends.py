"""The ends of sends, told to whoever waits: one channel per send, one connection per process."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from powerloop.kernel.ids import SendId
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress

logger = logging.getLogger("powerloop.events")

CHANNEL: Final = "powerloop:end:{}"

#: Subscribed to as long as the process listens: a connection without a channel cannot be read.
_ALWAYS: Final = CHANNEL.format("")

_CONNECTIONS: Final = 2
_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 2.0
_BACKOFF_S: Final = 0.5

#: Channels per command.
_CHUNK: Final = 1_000


class RedisEnds:
    """Listens for the ends of any number of sends on one connection.

    A stream would cost the listener all that its sends say; a channel says one thing once. What is published
    while the connection is being made anew is lost, so all listeners are woken then, to look for themselves.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._client = address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S)
        self._pubsub: Any = self._client.pubsub()
        self._outage = Outage(logger, f"Redis at {address}", "results are looked up every few seconds")
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._confirmed: dict[str, asyncio.Future[None]] = {}
        #: What the next commands will change.
        self._to_subscribe: set[str] = {_ALWAYS}
        self._to_unsubscribe: set[str] = set()
        self._commanding = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, send_id: SendId) -> AsyncIterator[asyncio.Event]:
        """See `EventFeed.ending`."""
        channel = CHANNEL.format(send_id)
        told = asyncio.Event()
        self._waiting[channel].add(told)
        try:
            await self._subscribed(channel)
            yield told
        finally:
            self._waiting[channel].discard(told)
            if not self._waiting[channel]:
                del self._waiting[channel]
                self._forget(channel)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._pubsub.aclose()
        await self._client.aclose()

    async def _subscribed(self, channel: str) -> None:
        """Return when Redis has the subscription: from then on no end is missed."""
        if channel not in self._confirmed:
            self._confirmed[channel] = asyncio.get_running_loop().create_future()
            self._to_unsubscribe.discard(channel)
            self._to_subscribe.add(channel)
        confirmed = self._confirmed[channel]
        async with self._commanding:
            # Whoever comes first commands for all that came meanwhile.
            await self._command()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await asyncio.shield(confirmed)
        except TimeoutError as error:
            raise self._address.unavailable(error) from error

    def _forget(self, channel: str) -> None:
        if confirmed := self._confirmed.pop(channel, None):
            confirmed.cancel()
        self._to_subscribe.discard(channel)
        self._to_unsubscribe.add(channel)

    async def _command(self) -> None:
        try:
            while self._to_subscribe or self._to_unsubscribe:
                await self._pubsub.subscribe(*_some(self._to_subscribe), _ALWAYS)
                if gone := _some(self._to_unsubscribe):
                    await self._pubsub.unsubscribe(*gone)
        except REDIS_TROUBLE as error:
            self._failed(error)
            raise self._address.unavailable(error) from error
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                message = await self._pubsub.get_message(timeout=_POLL_S)
            except REDIS_TROUBLE as error:
                self._failed(error)
                await asyncio.sleep(_BACKOFF_S)
                continue
            if message is not None:
                self._take(message["type"], message["channel"])

    def _take(self, kind: str, channel: str) -> None:
        if kind == "subscribe":
            self._outage.answered()
            confirmed = self._confirmed.get(channel)
            if confirmed and not confirmed.done():
                confirmed.set_result(None)
                return
        # A message; or a subscription that was made anew on another connection, and may have missed one.
        if kind in ("subscribe", "message"):
            for told in self._waiting.get(channel, ()):
                told.set()

    def _failed(self, error: Exception) -> None:
        """The connection broke: wake all listeners, and refuse those that are not listening yet."""
        self._outage.failed(error)
        for waiting in self._waiting.values():
            for told in waiting:
                told.set()
        for channel, confirmed in list(self._confirmed.items()):
            if not confirmed.done():
                confirmed.set_exception(self._address.unavailable(error))
                # Somebody may have stopped waiting for it.
                confirmed.exception()
                del self._confirmed[channel]


def _some(channels: set[str]) -> list[str]:
    """Take at most a command's worth of channels."""
    return [channels.pop() for _ in range(min(len(channels), _CHUNK))]
