"""Publishing on Redis: messages built here, pushed list by list, all of a batch in one round trip."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.queues import Lane, QueueName, lanes_of
from powerloop.queue.messages import event_topic, sent_message, task_message
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.routing import redis_list, redis_lists

logger = logging.getLogger("powerloop.dispatcher")

_CONNECTIONS: Final = 4
_TIMEOUT_S: Final = 2.0

#: Messages per command; Redis serves nobody else while it carries one out.
_CHUNK: Final = 500


class RedisDispatcher:
    """The `Dispatcher` port on a Redis broker.

    Celery's own client would block the event loop and cost twenty times as much.

    Args:
        redis_url: The broker.
        preview: Whether monitors are shown how inputs begin.
        events: Whether monitors are told of a task when it is first published.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, redis_url: str, *, preview: bool = True, events: bool = True) -> None:
        address = RedisAddress.parse(redis_url)
        self._preview = preview
        self._topic = event_topic(address.database) if events else None
        self._origin = f"{os.getpid()}@{socket.gethostname()}"
        self._client = address.client(connections=_CONNECTIONS, timeout=_TIMEOUT_S)
        self._outage = Outage(logger, f"Redis at {address}", "accepted sends wait until they are recovered")

    async def publish(self, activations: Sequence[Activation]) -> bool:
        if not activations:
            return True
        pipeline: Any = self._client.pipeline(transaction=False)
        for key, messages in self._lists(activations).items():
            for start in range(0, len(messages), _CHUNK):
                pipeline.lpush(key, *messages[start : start + _CHUNK])
        if self._topic and (first := [activation for activation in activations if activation.first]):
            pipeline.publish(self._topic, sent_message(first, origin=self._origin, preview=self._preview))
        try:
            await pipeline.execute()
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
            return False
        self._outage.answered()
        return True

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        names = [name for queue in queues for name in redis_lists(queue)]
        pipeline: Any = self._client.pipeline(transaction=False)
        for name in names:
            pipeline.llen(name)
        try:
            lengths = dict(zip(names, await pipeline.execute(), strict=True))
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
            return None
        self._outage.answered()
        return {lane: lengths[redis_list(*lane)] for lane in lanes_of(*queues)}

    async def close(self) -> None:
        await self._client.aclose()

    def _lists(self, activations: Sequence[Activation]) -> Mapping[str, list[str]]:
        """The messages by the list they go to; the first of a list is taken first."""
        lists: defaultdict[str, list[str]] = defaultdict(list)
        for activation in activations:
            message = task_message(activation, origin=self._origin, preview=self._preview)
            lists[redis_list(activation.queue, activation.priority)].append(message)
        return lists
