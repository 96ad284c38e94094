"""Chords: fan-outs of workflows, as Celery counts them.

A fan-out is a chord that is published lazily: its size is set before its first member goes out, and each
member that ends has the next one published. Celery counts the members that have run, each once however often
it is delivered, and publishes `WORKFLOW_TASK` after the last. That task asks the journal, which alone
decides: a chord that is lost, early or doubled changes nothing.
"""

import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from celery.backends.base import KeyValueStoreBackend

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.queues import WORKFLOW_QUEUE, Lane, QueueName
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.routing import WORKFLOW_TASK

logger = logging.getLogger("powerloop.dispatcher")

#: What Celery has counted is forgotten so long after it last counted.
CHORD_EXPIRES: Final = timedelta(days=1)

_SIZE_KEY: Final = f"{KeyValueStoreBackend.group_keyprefix}{{}}.s"
_TIMEOUT_S: Final = 2.0
#: Chords whose size this process remembers to have set.
_REMEMBERED: Final = 10_000


def chord_of(activation: Activation) -> Mapping[str, Any] | None:
    """What is called once each member of the activation's chord has run, as messages have it."""
    if not activation.group_size:
        return None
    return {
        "task": WORKFLOW_TASK,
        "args": [activation.joins],
        "kwargs": {},
        "options": {"queue": WORKFLOW_QUEUE},
        "subtask_type": None,
        # The results of the members are no business of it.
        "immutable": True,
    }


class ChordingDispatcher:
    """A dispatcher that sets the sizes of chords before their members are published.

    Args:
        dispatcher: Publishes.
        redis_url: Where Celery counts.

    Raises:
        SettingsInvalid: the URL is malformed.
    """

    def __init__(self, dispatcher: Dispatcher, redis_url: str) -> None:
        address = RedisAddress.parse(redis_url)
        self._dispatcher = dispatcher
        self._client = address.client(connections=2, timeout=_TIMEOUT_S)
        self._outage = Outage(logger, f"Redis at {address}", "chords are not counted; the journal is asked")
        self._set: OrderedDict[str, None] = OrderedDict()

    async def publish(self, activations: Sequence[Activation]) -> bool:
        sizes = {one.group_id: one.group_size for one in activations if one.group_id and one.group_size}
        if new := {group_id: size for group_id, size in sizes.items() if group_id not in self._set}:
            await self._set_sizes(new)
        return await self._dispatcher.publish(activations)

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        return await self._dispatcher.backlog(queues)

    async def close(self) -> None:
        await self._client.aclose()
        await self._dispatcher.close()

    async def _set_sizes(self, sizes: Mapping[str, int]) -> None:
        if self._outage.resting:
            return
        pipeline: Any = self._client.pipeline(transaction=False)
        for group_id, size in sizes.items():
            pipeline.set(_SIZE_KEY.format(group_id), size, ex=CHORD_EXPIRES, nx=True)
        try:
            await pipeline.execute()
        except REDIS_TROUBLE as error:
            self._outage.failed(error)
            return
        self._outage.answered()
        self._set.update(dict.fromkeys(sizes))
        while len(self._set) > _REMEMBERED:
            self._set.popitem(last=False)
