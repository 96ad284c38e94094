"""What is watched: a session's stream, as far as it was read, and the readers that it is read for."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from powerloop.kernel.events import Event
from powerloop.queue.cursors import Position, position_of

#: Events that wait for a slow reader. One that falls behind reads on from the stream.
_MAX_WAITING: Final = 1000


class Reader:
    """One reader of a session.

    Args:
        after: The place after which it reads.
    """

    def __init__(self, after: Position) -> None:
        #: The place of the last event that was put before it.
        self.seen = after
        #: Whether it was passed over, and must be brought up to date from the stream.
        self.behind = False
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()

    def offer(self, asked: Position, read: Position, events: Sequence[Event]) -> None:
        """Put before it what was read.

        Args:
            asked: The place after which the stream was read.
            read: The place up to which it was read.
            events: What stands between the two.
        """
        if asked > self.seen or len(self._waiting) >= _MAX_WAITING:
            self.behind = True
            return
        self._waiting.extend(event for event in events if position_of(event.cursor) > self.seen)
        self.seen = max(self.seen, read)
        self._news.set()

    async def take(self, seconds: float) -> list[Event]:
        """What waits, in order; empty if nothing came within `seconds`."""
        if not self._waiting:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return []
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Watch:
    """One session that somebody reads."""

    def __init__(self, after: Position) -> None:
        #: The place after which the stream is read next.
        self.after = after
        self.readers: set[Reader] = set()

    def go_back_to(self, place: Position) -> bool:
        """Read once more from the place on, should it be behind; whether it is."""
        if place >= self.after:
            return False
        self.after = place
        return True

    def deliver(self, asked: Position, read: Position, events: Sequence[Event]) -> None:
        """Put what was read before the readers."""
        for reader in self.readers:
            reader.offer(asked, read, events)
        # A reader that joined meanwhile may have set it back.
        if self.after == asked:
            self.after = read
