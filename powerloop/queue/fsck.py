"""The promises of the queue room, checked on a live Redis: read-only, and in bounded time.

Streams may have lost events and still be sound: they are trimmed, and what is emitted while Redis is away is
dropped. Readers see it by the numbers, and are told by the store. What no stream may do is count wrongly.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from powerloop.kernel.events import Event
from powerloop.kernel.fsck import Report
from powerloop.kernel.ids import Epoch, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.queue.cursors import BEGINNING, cursor_of
from powerloop.queue.event_wire import event_of
from powerloop.queue.locks import KEY as LOCK
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.stream import KEY as STREAM

_TIMEOUT_S: Final = 5.0

#: Keys, or entries of a stream, that Redis is asked for at once.
_PAGE: Final = 500

_Faults = AsyncGenerator[JSONObject, None]


async def check_redis(
    redis_url: str,
    *,
    lock_ttl: timedelta,
    lossless: bool = False,
    limit: int = 20,
    timeout: timedelta = timedelta(seconds=10),
) -> Sequence[Report]:
    """Check what Redis holds of the promises.

    Args:
        redis_url: Where the locks and the streams are.
        lock_ttl: How long a lock outlives its holder, as workers have it.
        lossless: Redis was never away: an event that is missing between two others is a fault too.
        limit: The most rows that a report shows.
        timeout: The longest that one check may take.

    Returns:
        A report for I10, and one for I12.

    Raises:
        SettingsInvalid: the URL is malformed.
        BrokerUnavailable: Redis does not answer.
    """
    address = RedisAddress.parse(redis_url)
    client: Any = address.client(connections=1, timeout=_TIMEOUT_S)
    examiner = _Examiner(client=client, limit=limit, timeout=timeout)
    try:
        offsets = await examiner.report(
            "I10",
            "The offsets of a claim's events rise by one in its stream."
            if lossless
            else "The offsets of a claim's events rise in its stream.",
            examiner.offset_faults(lossless=lossless),
        )
        locks = await examiner.report(
            "I12",
            "No session lock outlives its holder by more than twice its TTL.",
            examiner.lock_faults(2 * lock_ttl),
        )
    except REDIS_TROUBLE as error:
        raise address.unavailable(error) from error
    finally:
        await client.aclose()
    return (offsets, locks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examiner:
    client: Any
    limit: int
    timeout: timedelta

    async def report(self, invariant: str, title: str, faults: _Faults) -> Report:
        """The first faults, as far as the time allows to look for them."""
        rows: list[JSONObject] = []
        status: Literal["ok", "violated", "timed_out"] = "ok"
        detail = ""
        try:
            async with asyncio.timeout(self.timeout.total_seconds()), aclosing(faults):
                async for row in faults:
                    status = "violated"
                    rows.append(row)
                    if len(rows) == self.limit:
                        break
        except TimeoutError:
            status = "violated" if rows else "timed_out"
            detail = f"It took longer than {self.timeout.total_seconds():g} s: not all was looked at."
        return Report(invariant=invariant, title=title, status=status, rows=tuple(rows), detail=detail)

    async def offset_faults(self, *, lossless: bool) -> _Faults:
        """Events whose offset is not what the one before them calls for."""
        async for key in self.client.scan_iter(match=STREAM.format("*"), count=_PAGE):
            count = _Count(lossless=lossless)
            session_id = SessionId(key.removeprefix(STREAM.format("")))
            async with aclosing(self._events(key, session_id)) as events:
                async for event in events:
                    if fault := count.fault(event):
                        yield fault

    async def lock_faults(self, longest: timedelta) -> _Faults:
        """Locks that do not run out in time."""
        async for key in self.client.scan_iter(match=LOCK.format("*"), count=_PAGE):
            left_ms = await self.client.pttl(key)
            # -1: it never does; -2: it is gone by now.
            if left_ms == -1 or left_ms > longest / timedelta(milliseconds=1):
                session_id = key.removeprefix(LOCK.format(""))
                yield {"session_id": session_id, "expires_in_ms": None if left_ms < 0 else left_ms}

    async def _events(self, key: str, session_id: SessionId) -> AsyncGenerator[Event, None]:
        last = cursor_of(BEGINNING)
        while reply := await self.client.xread({key: last}, count=_PAGE):
            entries: Sequence[tuple[str, Mapping[str, str]]] = dict(reply)[key]
            for cursor, entry in entries:
                if event := event_of(session_id, cursor, entry):
                    yield event
            last = entries[-1][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """How far the claims of one stream have counted."""

    lossless: bool
    latest: dict[tuple[SendId, Epoch], int] = field(default_factory=dict)

    def fault(self, event: Event) -> JSONObject | None:
        """What is wrong with the event's number, if anything is. The first that is kept may have any."""
        claim = (event.send_id, event.epoch)
        before = self.latest.get(claim)
        self.latest[claim] = event.offset
        if before is None or event.offset == before + 1 or (event.offset > before and not self.lossless):
            return None
        return {
            "session_id": event.session_id,
            "send_id": event.send_id,
            "epoch": event.epoch,
            "offset": event.offset,
            "after_offset": before,
            "cursor": event.cursor,
        }
