"""Publishing on any broker of kombu: Celery's own messages, sent from a thread of their own."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from celery import Celery
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from powerloop.kernel.dispatch import Activation
from powerloop.queue.messages import shown_args, shown_name, task_name
from powerloop.queue.outage import Outage
from powerloop.queue.redis_address import REDIS_TROUBLE, SCHEMES
from powerloop.queue.routing import PRIORITIES, SEND_QUEUE, redis_priority

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

    async def backlog(self) -> Mapping[int, int] | None:
        try:
            count = await asyncio.get_running_loop().run_in_executor(self._thread, self._count)
        except (KombuError, *REDIS_TROUBLE) as error:
            self._outage.failed(error)
            return None
        except Exception:
            # Each broker has errors of its own.
            logger.exception("messages not counted")
            return None
        self._outage.answered()
        # A queue of AMQP does not say how many of each priority lie in it.
        return dict.fromkeys(PRIORITIES, count)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _publish(self, activations: Sequence[Activation]) -> None:
        with self._app.producer_or_acquire() as producer, producer.batch():
            for activation in activations:
                self._send(producer, activation)

    def _send(self, producer: Producer, activation: Activation) -> None:
        amqp = self._app.amqp
        message = amqp.as_task_v2(
            activation.send_id,
            task_name(activation),
            args=(activation.send_id,),
            shadow=shown_name(activation),
            argsrepr=shown_args(activation, preview=self._preview),
            kwargsrepr="{}",
            ignore_result=True,
            root_id=activation.root_id,
            parent_id=activation.parent_id,
            group_id=activation.parent_id,
            create_sent_event=self._events and activation.first,
        )
        priority = redis_priority(activation.priority) if self._turned else activation.priority
        name = task_name(activation)
        amqp.send_task_message(producer, name, message, queue=SEND_QUEUE, priority=priority)

    def _count(self) -> int:
        """How many messages wait; a queue that was never declared has none."""
        with self._app.pool.acquire(block=True) as connection, connection.channel() as channel:
            try:
                declared = channel.queue_declare(queue=SEND_QUEUE, passive=True)
            except connection.channel_errors:
                return 0
            return int(declared.message_count)

    def _close(self) -> None:
        self._thread.shutdown()
        self._app.close()
