"""The queue room's doubles: locks, events, nudges and a dispatcher in this process, on one event loop."""

import asyncio
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import takewhile
from typing import Final

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.events import Event, SendEnded
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.queues import Lane, QueueName, lanes_of
from powerloop.kernel.sends import Send
from powerloop.queue.cursors import cursor_of, position_of

_SILENCE_S: Final = 1.0


class MemoryLocks:
    """The `SessionLocks` port for one process."""

    def __init__(self) -> None:
        self._held: dict[SessionId, MemoryLock] = {}

    async def acquire(self, session_id: SessionId, on_lost: Callable[[], None]) -> "MemoryLock | None":
        if session_id in self._held:
            return None
        lock = self._held[session_id] = MemoryLock(self._held, session_id, on_lost)
        return lock

    def renew(self) -> None:
        """Nothing runs out here."""

    def steal(self, session_id: SessionId) -> None:
        """Let somebody else hold the session's lock: its holder, if any, is told that it was lost."""
        thief = MemoryLock(self._held, session_id, lambda: None)
        previous = self._held.get(session_id)
        self._held[session_id] = thief
        if previous:
            previous.on_lost()

    async def close(self) -> None:
        """There is no connection."""


class MemoryLock:
    """The `HeldLock` of `MemoryLocks`."""

    def __init__(
        self,
        held: "dict[SessionId, MemoryLock]",
        session_id: SessionId,
        on_lost: Callable[[], None],
    ) -> None:
        self._held = held
        self._session_id = session_id
        self.on_lost = on_lost

    async def release(self) -> None:
        if self._held.get(self._session_id) is self:
            del self._held[self._session_id]


class MemoryFeed:
    """The `EventFeed` port over what `MemorySink` put there.

    Args:
        length: The most events that are kept of a session.
        sessions: The most sessions that are kept; the ones silent for longest go first.
    """

    def __init__(self, *, length: int = 2000, sessions: int = 1000) -> None:
        self._length = length
        self._sessions = sessions
        self._count = 0
        self._logs: OrderedDict[SessionId, deque[tuple[int, Event]]] = OrderedDict()
        self._readers: defaultdict[SessionId, set[asyncio.Event]] = defaultdict(set)
        self._listeners: defaultdict[SendId, set[asyncio.Event]] = defaultdict(set)

    def append(self, event: Event) -> None:
        """Give the event its cursor, and show it to the readers."""
        self._count += 1
        log = self._logs.setdefault(event.session_id, deque(maxlen=self._length))
        log.append((self._count, replace(event, cursor=cursor_of((0, self._count)))))
        self._logs.move_to_end(event.session_id)
        if len(self._logs) > self._sessions:
            self._logs.popitem(last=False)
        for news in self._readers.get(event.session_id, ()):
            news.set()
        if isinstance(event.body, SendEnded):
            self.tell_end(event.send_id)

    def tell_end(self, send_id: SendId) -> None:
        """Wake whoever waits for the end of the send."""
        for told in self._listeners.get(send_id, ()):
            told.set()

    async def end_of(self, session_id: SessionId) -> str:
        log = self._logs.get(session_id)
        return cursor_of((0, log[-1][0] if log else 0))

    async def read(self, session_id: SessionId, after: str) -> AsyncGenerator[Sequence[Event], None]:
        _, position = position_of(after)
        news = asyncio.Event()
        self._readers[session_id].add(news)
        try:
            while True:
                if not (batch := self._after(session_id, position)):
                    await _set_within(news, _SILENCE_S)
                    batch = self._after(session_id, position)
                news.clear()
                if batch:
                    _, position = position_of(batch[-1].cursor)
                yield batch
        finally:
            self._forget(session_id, news)

    @asynccontextmanager
    async def ending(self, send_id: SendId) -> AsyncIterator[asyncio.Event]:
        told = asyncio.Event()
        self._listeners[send_id].add(told)
        try:
            yield told
        finally:
            self._listeners[send_id].discard(told)
            if not self._listeners[send_id]:
                del self._listeners[send_id]

    async def close(self) -> None:
        """There is no connection."""

    def _after(self, session_id: SessionId, position: int) -> list[Event]:
        log = self._logs.get(session_id, ())
        newer = [event for _, event in takewhile(lambda entry: entry[0] > position, reversed(log))]
        newer.reverse()
        return newer

    def _forget(self, session_id: SessionId, news: asyncio.Event) -> None:
        readers = self._readers[session_id]
        readers.discard(news)
        if not readers:
            del self._readers[session_id]


class MemorySink:
    """The `EventSink` port that fills a `MemoryFeed`, at once and without coalescing."""

    def __init__(self, feed: MemoryFeed) -> None:
        self._feed = feed

    def emit(self, event: Event) -> None:
        self._feed.append(event)

    async def flush(self) -> None:
        """Everything is there already."""

    async def close(self) -> None:
        """There is no connection."""


class MemoryDispatcher:
    """The `Dispatcher` port that keeps what it is given.

    Attributes:
        published: Every activation that went out, in order.
        away: Set it to have the broker not answer.
    """

    def __init__(self) -> None:
        self.published: list[Activation] = []
        self.away = False

    async def publish(self, activations: Sequence[Activation]) -> bool:
        if self.away:
            return False
        self.published.extend(activations)
        return True

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        if self.away:
            return None
        counts = Counter(Lane(activation.queue, activation.priority) for activation in self.published)
        return {lane: counts[lane] for lane in lanes_of(*queues)}

    async def close(self) -> None:
        """There is no connection."""


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class MemoryNudges:
    """The `Nudges` port for one process.

    Args:
        on_nudge: Called at once with the id of a send that runs.
        on_end: Called at once with the id of a send that has ended.
    """

    def __init__(self, on_nudge: Callable[[SendId], None], on_end: Callable[[SendId], None]) -> None:
        self._on_nudge = on_nudge
        self._on_end = on_end

    async def nudge(self, send: Send) -> None:
        (self._on_end if send.status.is_final else self._on_nudge)(send.id)

    async def close(self) -> None:
        """There is no connection."""
