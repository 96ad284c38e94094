"""Nudges over Redis pub/sub: one channel per worker process."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import redis

from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.sends import Send
from powerloop.queue.ends import CHANNEL as ENDS
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress

logger = logging.getLogger("powerloop.nudges")

CHANNEL: Final = "powerloop:nudge:{}"

_CONSEQUENCE: Final = "cancels take effect within a second instead of at once"
#: Who cancels waits for twice this at most, as a command is tried once more on another connection.
_NUDGE_TIMEOUT_S: Final = 1.0
_LISTEN_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 1.0
_BACKOFF_S: Final = 0.5


class RedisNudges:
    """The `Nudges` port over Redis.

    Args:
        redis_url: Where the workers listen.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str) -> None:
        address = RedisAddress.parse(redis_url)
        self._client = address.client(connections=1, timeout=_NUDGE_TIMEOUT_S)
        self._outage = Outage(logger, f"Redis at {address}", _CONSEQUENCE)

    async def nudge(self, send: Send) -> None:
        if self._outage.resting or not (send.owner or send.status.is_final):
            return
        channel = ENDS.format(send.id) if send.status.is_final else CHANNEL.format(send.owner)
        try:
            await self._client.publish(channel, send.id)
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
        else:
            self._outage.answered()

    async def close(self) -> None:
        await self._client.aclose()


class RedisNudgeListener:
    """Hears the nudges of one worker process, on one connection, which is made anew whenever it breaks.

    Args:
        redis_url: Where producers publish.
        worker: Whose nudges.
        on_nudge: Called on the event loop with the id of the send.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str, worker: WorkerId, on_nudge: Callable[[SendId], None]) -> None:
        address = RedisAddress.parse(redis_url)
        self._client = address.client(connections=1, timeout=_LISTEN_TIMEOUT_S)
        self._outage = Outage(logger, f"Redis at {address}", _CONSEQUENCE)
        self._channel = CHANNEL.format(worker)
        self._on_nudge = on_nudge
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, on the running loop."""
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Stop listening; twice is once."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        await self._client.aclose()

    async def _listen(self) -> None:
        while True:
            pubsub: Any = self._client.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(self._channel)
                self._outage.answered()
                await self._hear(pubsub)
            except REDIS_TROUBLE as error:
                self._outage.failed(error)
            finally:
                with suppress(*REDIS_TROUBLE):
                    await pubsub.aclose()
            await asyncio.sleep(_BACKOFF_S)

    async def _hear(self, pubsub: Any) -> None:  # noqa: ANN401 - redis types its replies for two protocols
        asked = False
        while True:
            message = await pubsub.get_message(timeout=_POLL_S)
            if message is not None:
                asked = False
                if message["type"] == "message":
                    self._on_nudge(SendId(message["data"]))
            elif asked:
                # A connection that is half open is as silent as one that has nothing to say.
                raise redis.TimeoutError("a ping was not answered")
            else:
                await pubsub.ping()
                asked = True
