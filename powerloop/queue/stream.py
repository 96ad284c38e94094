"""The event sink of a worker: one Redis stream per session, written for all sends of the process together."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from powerloop.kernel.events import Event, SendEnded
from powerloop.kernel.ids import SessionId
from powerloop.queue.ends import CHANNEL
from powerloop.queue.event_buffer import EventBuffer
from powerloop.queue.event_wire import fields_of
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress

logger = logging.getLogger("powerloop.events")

KEY: Final = "powerloop:events:{}"

#: How long text is gathered before it is written: too short to be seen, long enough to save most writes.
_WINDOW_S: Final = 0.04

_CONNECTIONS: Final = 1
_TIMEOUT_S: Final = 2.0


class RedisEventSink:
    """The `EventSink` port over Redis streams.

    Events are written every 40 ms, and at once by `flush`. While Redis is away they are dropped, which is
    logged once. Text that follows text of the same send is one event, so the sink numbers the events itself:
    see `EventBuffer`.

    Args:
        redis_url: Where the streams are.
        length: About how many events a session's stream keeps.
        ttl: How long a stream is kept after its last event.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str, *, length: int = 2000, ttl: timedelta = timedelta(hours=1)) -> None:
        address = RedisAddress.parse(redis_url)
        self._length = length
        self._ttl = ttl
        # Tried once: a text that was written twice would be worse than one that is missing.
        self._client = address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S, retries=0)
        self._outage = Outage(logger, f"Redis at {address}", "events are dropped")
        self._buffer = EventBuffer()
        self._overflowed = False
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        #: The write that will take what is emitted now; `None` once it has begun.
        self._next: asyncio.Task[None] | None = None
        #: A loop keeps no strong reference to its tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    def emit(self, event: Event) -> None:
        if not self._buffer.add(event) and not self._overflowed:
            self._overflowed = True
            logger.warning("events dropped", extra={"reason": "they come faster than Redis takes them"})
        if self._timer is None and self._next is None:
            self._timer = asyncio.get_running_loop().call_later(_WINDOW_S, self._begin_write)

    async def flush(self) -> None:
        # Whoever waits may be cancelled; what is written is everybody's.
        await asyncio.shield(self._begin_write())

    async def close(self) -> None:
        """Write what waits, and let go of the connections."""
        await self.flush()
        await self._client.aclose()

    def _begin_write(self) -> "asyncio.Task[None]":
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._write())
            self._tasks.add(self._next)
            self._next.add_done_callback(self._tasks.discard)
        return self._next

    async def _write(self) -> None:
        """Write what waits. One at a time: the order of a stream is the order of its events."""
        async with self._writing:
            self._next = None
            batches = self._buffer.take()
            if not batches or self._outage.resting:
                return
            try:
                await self._append(batches)
            except REDIS_TROUBLE as error:
                self._outage.failed(error)
            except Exception:
                # Losing an event must not hurt a send.
                logger.exception("events not written")
            else:
                self._outage.answered()
                self._overflowed = False

    async def _append(self, batches: Mapping[SessionId, list[Event]]) -> None:
        pipeline: Any = self._client.pipeline(transaction=False)
        for session_id, events in batches.items():
            key = KEY.format(session_id)
            for event in events:
                pipeline.xadd(key, fields_of(event), maxlen=self._length, approximate=True)
                if isinstance(event.body, SendEnded):
                    pipeline.publish(CHANNEL.format(event.send_id), "")
            pipeline.pexpire(key, self._ttl)
        await pipeline.execute()
