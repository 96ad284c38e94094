"""Celery's Redis transport, guarded: a message that no worker could take is buried, not delivered.

Unguarded, such a message ends the worker, or has it reconnect for ever, and is put back for the next one.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis as kombu_redis

from powerloop.queue.dead_letters import bury
from powerloop.queue.defects import defect_of, is_ours
from powerloop.queue.routing import CLIENT_QUEUE
from powerloop.queue.surviving_channel import SurvivingChannel

logger = logging.getLogger("powerloop.broker")


class GuardedClient(redis.Redis):
    """Reads messages; `keep` judges each, and one that it refuses is as if it had not come."""

    def __init__(self, *args: Any, keep: Callable[[str, bytes], bool], **kwargs: Any) -> None:  # noqa: ANN401 - its
        super().__init__(*args, **kwargs)
        self._keep = keep

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:  # noqa: ANN401 - its
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not reply:
            return reply
        name, message = reply
        return reply if self._keep(name.decode(errors="replace"), message) else None


class GuardedChannel(SurvivingChannel):
    """A channel whose messages are fit to be delivered."""

    _shared_client: GuardedClient | None = None

    def keep(self, name: str, message: bytes) -> bool:
        """Whether a message that was taken from the list `name` is to be delivered; another is put away."""
        if name.partition(self.sep)[0] == CLIENT_QUEUE and not is_ours(message):
            self.leave(name, message)
            return False
        if (defect := defect_of(message)) is None:
            return True
        self.bury(name, message.decode(errors="backslashreplace"), defect)
        return False

    def leave(self, name: str, message: bytes) -> None:
        """Put another application's message back where it was next, and consume its queue no more."""
        queue = name.partition(self.sep)[0]
        with self.conn_or_acquire() as client:
            client.rpush(name, message)
        logger.warning("queue left to another application", extra={"queue": queue})
        for tag in [tag for tag, consumed in self._tag_to_queue.items() if consumed == queue]:
            self.basic_cancel(tag)  # type: ignore[no-untyped-call]

    def bury(self, name: str, message: str, error: str) -> None:
        """Put a message of the list `name` with the dead letters."""
        with self.conn_or_acquire() as client:
            bury(client, queue=name.partition(self.sep)[0], message=message, error=error)

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: ANN401 - kombu has no types
        """Kombu makes a client for each command, at 0.2 ms of CPU; one serves as long as its pool does."""
        if asynchronous:
            return super()._create_client(asynchronous)  # type: ignore[no-untyped-call]
        client = self._shared_client
        if client is None or client.connection_pool is not self.pool:
            client = self._shared_client = super()._create_client()  # type: ignore[no-untyped-call]
        return client

    def _get_client(self) -> Callable[..., GuardedClient]:
        return partial(GuardedClient, keep=self.keep)


class GuardedTransport(kombu_redis.Transport):
    """The Redis transport with guarded channels."""

    Channel = GuardedChannel


class GuardedConnection(Connection):
    """A connection that is guarded where the broker is Redis."""

    def get_transport_cls(self) -> type[Any]:
        transport: type[Any] = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return GuardedTransport if transport is kombu_redis.Transport else transport

    def ensure_connection(self, *args: Any, **options: Any) -> "GuardedConnection":  # noqa: ANN401 - its
        """Wait for a broker that is away, and ask every two seconds: kombu's pauses grow to half a minute."""
        super().ensure_connection(*args, **{"interval_step": 0, **options})  # type: ignore[no-untyped-call]
        return self

    def ensure(self, *args: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401 - its
        """Wrap what needs the broker, to be tried once unless it is said how often.

        Kombu's default is to try for ever, and Celery takes it for the events by which a worker tells
        monitors that it lives: in a network that swallows everything, its main thread would hear no SIGTERM.
        """
        ensured: Callable[..., Any] = super().ensure(*args, **{"max_retries": 0, **options})  # type: ignore[no-untyped-call]
        return ensured


class GuardedAMQP(AMQP):  # type: ignore[misc]
    """What a Celery app makes its connections with.

    The broker's URL stays what it is, as Flower and others read its scheme; nothing of kombu is changed for
    other apps of the process.
    """

    Connection = GuardedConnection
