"""Publishing on any broker of kombu: Celery's own messages, sent from a thread of their own."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from powerloop.kernel.dispatch import Activation
from powerloop.kernel.queues import Lane, QueueName, lanes_of
from powerloop.queue.app import work_queue
from powerloop.queue.chords import chord_of
from powerloop.queue.messages import shown_args, shown_name, task_name
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, SCHEMES
from powerloop.queue.routing import redis_priority

logger = logging.getLogger("powerloop.dispatcher")


class KombuDispatcher:
    """The `Dispatcher` port on whatever broker a Celery app has.

    Args:
        app: From `create_app`.
        preview: Whether monitors are shown how inputs begin.
        events: Whether monitors are told of a task when it is first published.
    """

    def __init__(self, app: Celery, *, preview: bool = True, events: bool = True) -> None:
        self._app = app
        self._preview = preview
        self._events = events
        where = urlsplit(app.conf.broker_url)
        self._turned = where.scheme in SCHEMES
        self._outage = Outage(
            logger, f"the broker at {where.hostname}", "accepted sends wait until they are recovered"
        )
        # One thread, so that what is published first goes out first.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="powerloop-publish")

    async def publish(self, activations: Sequence[Activation]) -> bool:
        if not activations:
            return True
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._publish, tuple(activations))
        except (KombuError, *REDIS_TROUBLE) as error:
            self._outage.failed(error)
            return False
        except Exception:
            # Each broker has errors of its own; the rows are published again, whatever it was.
            logger.exception("not published")
            return False
        self._outage.answered()
        return True

    async def backlog(self, queues: Collection[QueueName]) -> Mapping[Lane, int] | None:
        try:
            counts = await asyncio.get_running_loop().run_in_executor(self._thread, self._count, queues)
        except (KombuError, *REDIS_TROUBLE) as error:
            self._outage.failed(error)
            return None
        except Exception:
            # Each broker has errors of its own.
            logger.exception("messages not counted")
            return None
        self._outage.answered()
        # A queue of AMQP does not say how many of each priority lie in it.
        return {lane: counts[lane.queue] for lane in lanes_of(*queues)}

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _publish(self, activations: Sequence[Activation]) -> None:
        with self._app.producer_or_acquire() as producer, producer.batch():
            for activation in activations:
                self._send(producer, activation)

    def _send(self, producer: Producer, activation: Activation) -> None:
        amqp = self._app.amqp
        message = amqp.as_task_v2(
            activation.id,
            task_name(activation),
            args=(activation.id,),
            shadow=shown_name(activation),
            argsrepr=shown_args(activation, preview=self._preview),
            kwargsrepr="{}",
            ignore_result=True,
            root_id=activation.root_id,
            parent_id=activation.parent_id,
            group_id=activation.group_id,
            group_index=activation.group_index if activation.group_size else None,
            chord=chord_of(activation),
            create_sent_event=self._events and activation.first,
        )
        priority = redis_priority(activation.priority) if self._turned else activation.priority
        name = task_name(activation)
        # Published with the queue itself, and not with its name: a broker has to know it first.
        queue = work_queue(activation.queue)
        amqp.send_task_message(producer, name, message, queue=queue, priority=priority)

    def _count(self, queues: Collection[QueueName]) -> Mapping[QueueName, int]:
        """How many messages wait on each queue."""
        with self._app.pool.acquire(block=True) as connection:
            return {queue: _length(connection, queue) for queue in queues}

    def _close(self) -> None:
        self._thread.shutdown()
        self._app.close()


def _length(connection: Connection, queue: QueueName) -> int:
    """How many messages lie on the queue; one that was never declared has none."""
    opened: Any = connection.channel()  # type: ignore[no-untyped-call]
    with opened as channel:
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors:
            return 0
