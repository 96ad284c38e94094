"""Celery's consumer, guarded: what it cannot take does not end it, and what it refuses is buried first."""

import json
import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu.message import Message

from powerloop.queue.defects import defect_of_delivery
from powerloop.queue.routing import CLIENT_QUEUE, TASK_PREFIX
from powerloop.queue.transport import GuardedChannel

logger = logging.getLogger("powerloop.broker")


class GuardedConsumer(Consumer):  # type: ignore[misc]
    """Takes messages from any broker.

    On Redis, a message for a task that nobody here knows, or of which Celery can make nothing, goes to the
    dead letters. On AMQP it is rejected, and goes where the queue's dead-letter exchange says.
    """

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Message], None]:  # noqa: ANN401 - its
        receive: Callable[[Message], None] = super().create_task_handler(*args, **kwargs)

        def receive_guarded(message: Message) -> None:
            if _is_anothers(message):
                self._leave(message)
            elif not _is_guarded(message) and (defect := defect_of_delivery(message)):
                _bury(message, defect)
                message.reject_log_error(logger, self.connection_errors)  # type: ignore[no-untyped-call]
            else:
                receive(message)

        return receive_guarded

    def _leave(self, message: Message) -> None:
        """Give another application's message back, and consume its queue no more."""
        logger.warning("queue left to another application", extra={"queue": CLIENT_QUEUE})
        self.cancel_task_queue(CLIENT_QUEUE)
        message.requeue()  # type: ignore[no-untyped-call]

    def on_unknown_task(self, body: Any, message: Message, exc: Exception) -> None:  # noqa: ANN401 - its
        _bury(message, f"no task is named {message.headers['task']!r}")
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Message, exc: Exception) -> None:  # noqa: ANN401 - its
        _bury(message, f"{type(exc).__name__}: {exc}")
        super().on_invalid_task(body, message, exc)


def _is_anothers(message: Message) -> bool:
    """Whether it lay in the queue that we may share with another application, and is not for us."""
    task = (message.headers or {}).get("task")
    shared = (message.delivery_info or {}).get("routing_key") == CLIENT_QUEUE
    return shared and not (isinstance(task, str) and task.startswith(TASK_PREFIX))


def _is_guarded(message: Message) -> bool:
    """Whether its transport has looked at it already."""
    return isinstance(message.channel, GuardedChannel)


def _bury(message: Message, error: str) -> None:
    queue = (message.delivery_info or {}).get("routing_key", "")
    if _is_guarded(message):
        raw = vars(message)["_raw"]  # the only place where kombu keeps the whole of it
        message.channel.bury(queue, json.dumps(raw), error)
    else:
        logger.error("message rejected", extra={"queue": queue, "error": error})
