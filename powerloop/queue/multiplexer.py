"""One connection that reads the streams of all watched sessions, and hands each reader its share."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from powerloop.kernel.errors import BrokerUnavailable
from powerloop.kernel.ids import SessionId
from powerloop.queue.cursors import BEGINNING, Position, cursor_of, position_of
from powerloop.queue.event_wire import event_of
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.stream import KEY
from powerloop.queue.watch import Reader, Watch

logger = logging.getLogger("powerloop.events")

Entries = Sequence[tuple[str, Mapping[str, str]]]

#: Milliseconds that the server holds a read back for news; well below the client's timeout.
_BLOCK_MS: Final = 2_000
_TIMEOUT_S: Final = 5.0
#: The read that blocks, and commands beside it.
_CONNECTIONS: Final = 8

#: Entries of one stream per read.
_COUNT: Final = 500

#: Seconds between tries while Redis is away.
_BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)

#: Seconds that the stream that wakes a reading process is kept after the last wake-up.
_WAKE_TTL_S: Final = 3_600


class Multiplexer:
    """Reads for any number of readers of any number of sessions.

    It wakes its own blocked read through a stream of its own, whose entries stay: no wake-up can be lost
    between two reads.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.client = address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S)
        self._address = address
        self._outage = Outage(logger, f"Redis at {address}", "readers see no events")
        self._watches: dict[SessionId, Watch] = {}
        self._wake_key = f"powerloop:wake:{uuid4().hex}"
        self._woken: Position = BEGINNING
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def join(self, session_id: SessionId, reader: Reader) -> None:
        """Read the session for the reader, from where it stands.

        Raises:
            BrokerUnavailable: Redis does not answer, or the multiplexer is closed.
        """
        self.check()
        new = session_id not in self._watches
        watch = self._watches.setdefault(session_id, Watch(reader.seen))
        watch.readers.add(reader)
        # Joining is where an outage is told; a reader that has joined waits for its end.
        if watch.go_back_to(reader.seen) or new or self._outage.error:
            try:
                await self._wake()
            except BaseException:
                self.leave(session_id, reader)
                raise
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def catch_up(self, session_id: SessionId, reader: Reader) -> None:
        """Read once more for a reader that was passed over."""
        reader.behind = False
        if self._watches[session_id].go_back_to(reader.seen):
            # Without an answer the reading goes on from there once it is back.
            with suppress(BrokerUnavailable):
                await self._wake()

    def leave(self, session_id: SessionId, reader: Reader) -> None:
        """Read for the reader no longer."""
        watch = self._watches[session_id]
        watch.readers.discard(reader)
        if not watch.readers:
            del self._watches[session_id]

    def check(self) -> None:
        """Pass if it is open.

        Raises:
            BrokerUnavailable: it is closed.
        """
        if self._closed:
            raise BrokerUnavailable("the event feed is closed.")

    async def close(self) -> None:
        """Stop reading, and let go of the connections."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.client.aclose()

    async def _wake(self) -> None:
        pipeline: Any = self.client.pipeline(transaction=False)
        pipeline.xadd(self._wake_key, {"woken": ""}, maxlen=1, approximate=False)
        pipeline.expire(self._wake_key, _WAKE_TTL_S)
        try:
            await pipeline.execute()
        except REDIS_TROUBLE as error:
            raise self._address.unavailable(error) from error

    async def _run(self) -> None:
        failures = 0
        while self._watches:
            if await self._reads():
                failures = 0
            else:
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
                failures += 1

    async def _reads(self) -> bool:
        """Read once; whether that went well. The readers stay, whatever happens."""
        try:
            await self._read()
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
        except Exception:
            logger.exception("events not read")
        else:
            return True
        return False

    async def _read(self) -> None:
        """One read of everything that is watched."""
        asked = {session_id: watch.after for session_id, watch in self._watches.items()}
        streams: dict[Any, Any] = {
            KEY.format(session_id): cursor_of(after) for session_id, after in asked.items()
        }
        streams[self._wake_key] = cursor_of(self._woken)
        reply: Any = await self.client.xread(streams, count=_COUNT, block=_BLOCK_MS)
        self._outage.answered()
        read: dict[str, Entries] = dict(reply)
        if wakes := read.pop(self._wake_key, None):
            self._woken = position_of(wakes[-1][0])
        sessions = {KEY.format(session_id): session_id for session_id in asked} if read else {}
        for key, entries in read.items():
            session_id = sessions[key]
            self._deliver(session_id, asked[session_id], entries)

    def _deliver(self, session_id: SessionId, asked: Position, entries: Entries) -> None:
        watch = self._watches.get(session_id)
        if watch is None:
            return
        events = [event for cursor, entry in entries if (event := event_of(session_id, cursor, entry))]
        watch.deliver(asked, position_of(entries[-1][0]), events)
