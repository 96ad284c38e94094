"""The in-process dispatcher: activations become tasks of this event loop."""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.ids import SendId
from powerloop.kernel.queues import Lane, QueueName, lanes_of

logger = logging.getLogger("powerloop.client")

Drive = Callable[[SendId], Awaitable[object]]


class InProcessDispatcher:
    """Drives what is published, at most `concurrency` at once; higher priorities first, then first come first
    served. What waits already is not put in twice.

    Args:
        drive: Brings a send as far as it goes here.
        concurrency: The most sends that run at once.
    """

    def __init__(self, drive: Drive, concurrency: int) -> None:
        self._drive = drive
        self._concurrency = concurrency
        self._waiting: list[tuple[int, int, SendId, Lane]] = []
        self._known: set[SendId] = set()
        self._count = 0
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def publish(self, activations: Sequence[Activation]) -> bool:
        if self._closed:
            return False
        for activation in activations:
            send_id = SendId(activation.id)
            if send_id not in self._known:
                self._count += 1
                self._known.add(send_id)
                lane = Lane(activation.queue, activation.priority)
                heapq.heappush(self._waiting, (-lane.priority, self._count, send_id, lane))
        self._start()
        return True

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        if self._closed:
            return None
        waiting = Counter(lane for _, _, _, lane in self._waiting)
        return {lane: waiting[lane] for lane in lanes_of(*queues)}

    async def close(self) -> None:
        """Cancel what runs and wait for it: each send is handed over, and the next start goes on with it."""
        self._closed = True
        self._waiting.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._concurrency:
            _, _, send_id, _ = heapq.heappop(self._waiting)
            self._known.discard(send_id)
            task = asyncio.create_task(self._run(send_id))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not self._closed:
            self._start()

    async def _run(self, send_id: SendId) -> None:
        try:
            await self._drive(send_id)
        except Exception:
            logger.exception("send not driven", extra={"send_id": send_id})
