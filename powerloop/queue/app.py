"""The Celery app: every setting of it, with its reason."""

import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from powerloop.kernel.errors import SettingsInvalid
from powerloop.kernel.queues import (
    LEAF_QUEUE,
    MAX_PRIORITY,
    SEND_QUEUE,
    SEND_QUEUES,
    SUBAGENT_QUEUE,
    TIMER_QUEUE,
    WORKFLOW_QUEUE,
    QueueName,
)
from powerloop.queue.chords import CHORD_EXPIRES
from powerloop.queue.redis_address import SCHEMES as REDIS_SCHEMES
from powerloop.queue.redis_address import RedisAddress
from powerloop.queue.routing import (
    CLIENT_QUEUE,
    ENQUEUE_QUEUE,
    ENQUEUE_TASK,
    LEAF_TASK,
    SEND_TASK,
    SUBAGENT_TASK,
    TIMER_TASK,
    WORKFLOW_TASK,
)
from powerloop.queue.transport import GuardedAMQP

AMQP_SCHEMES: Final = ("amqp", "amqps", "pyamqp")

#: Read by our worker pool; seconds.
DRAIN_TIMEOUT: Final = "powerloop_drain_timeout"

_ROUTES: Final = {
    SEND_TASK: SEND_QUEUE,
    SUBAGENT_TASK: SUBAGENT_QUEUE,
    LEAF_TASK: LEAF_QUEUE,
    WORKFLOW_TASK: WORKFLOW_QUEUE,
    TIMER_TASK: TIMER_QUEUE,
    ENQUEUE_TASK: ENQUEUE_QUEUE,
}

_VISIBILITY_TIMEOUT: Final = timedelta(minutes=30)


def create_app(
    broker_url: str,
    *,
    drain_timeout: timedelta | None = None,
    client_queue: bool = True,
    tool_queues: Sequence[QueueName] = (),
    visibility_timeout: timedelta = _VISIBILITY_TIMEOUT,
    chords: str | None = None,
) -> Celery:
    """A Celery app that publishes and consumes our queues. It has no tasks yet, and is nobody's current app.

    Args:
        broker_url: ``redis://…``, ``rediss://…`` or ``amqp://…``; any other broker of kombu at your own risk.
        drain_timeout: How long our worker pool waits at a shutdown; the pool's own default unless given.
        client_queue: Whether workers consume ``celery`` too, where clients publish that name no queue. Switch
        it off where somebody else's app has that queue on the same broker: its tasks are unknown here.
        tool_queues: Queues that tools have of their own; workers consume them too.
        visibility_timeout: After how long Redis has an unfinished message delivered once more.
        chords: The Redis where workers count the members of fan-outs; `None`: they are not counted.

    Raises:
        SettingsInvalid: the URL is malformed.
    """
    scheme = broker_scheme(broker_url)
    app = Celery("powerloop", broker=broker_url, amqp=GuardedAMQP, set_as_current=False)
    app.conf.update(
        _task_settings(_queues(tool_queues, client_queue=client_queue), client_queue=client_queue)
    )
    app.conf.update(_worker_settings())
    app.conf.update(_broker_settings(scheme, visibility_timeout))
    if chords is not None:
        app.conf.update(_chord_settings(chords))
    if drain_timeout is not None:
        app.conf[DRAIN_TIMEOUT] = drain_timeout.total_seconds()
    return app


def _task_settings(queues: Sequence[Queue], *, client_queue: bool) -> dict[str, Any]:
    return {
        "task_queues": queues,
        "task_routes": {name: {"queue": queue} for name, queue in _ROUTES.items()},
        # A misspelt -Q ends the worker at its start, rather than have it wait at a queue that nobody fills.
        "task_create_missing_queues": False,
        "task_default_queue": CLIENT_QUEUE if client_queue else ENQUEUE_QUEUE,
        # A message is acknowledged when its task has ended, so that the death of a worker does not lose it.
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        # A task that killed its process is not given to the next one: it is recovery that counts attempts.
        "task_reject_on_worker_lost": False,
        # A send is bounded by its agent's limits. There is no task_time_limit: a broker's clock cannot tell a
        # long send from a stuck one.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_track_started": False,
        # Results are rows. Workers have a backend for the counters of chords: see `_chord_settings`.
        "result_backend": "disabled://",
        # What a message says is data. Pickle would be code.
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # A publisher that cannot reach the broker gives up at once: the row is the outbox.
        "task_publish_retry_policy": {
            "max_retries": 2,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
        },
        "task_send_sent_event": True,
        "enable_utc": True,
        "timezone": "UTC",
    }


def _chord_settings(redis_url: str) -> dict[str, Any]:
    """The backend that counts members of chords, and stores no results."""
    settings: dict[str, Any] = {
        "result_backend": f"powerloop.workers.chords:ChordBackend+{redis_url}",
        "result_chord_expires": CHORD_EXPIRES,
        # A member waits for them in a thread: it has done its work.
        "redis_socket_timeout": 3,
        "redis_socket_connect_timeout": 3,
        "redis_max_connections": 20,
        "result_backend_max_retries": 1,
        # Another member of the chord, or the sweeper, does what this one could not.
        "result_backend_always_retry": False,
    }
    if redis_url.startswith("rediss:"):
        settings["redis_backend_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return settings


def _worker_settings() -> dict[str, Any]:
    return {
        # With late acknowledgement, unacknowledged means running: that is the gate of concurrency. A message
        # that is fetched early would wait here while another worker is idle.
        "worker_prefetch_multiplier": 1,
        # We use no eta, but a client may: such messages are held in memory beyond the gate.
        "worker_eta_task_limit": 100,
        # What it cannot take does not end it.
        "worker_consumer": "powerloop.queue.consumer:GuardedConsumer",
        # Running sends do not need the broker. On Redis their acknowledgement works after a reconnection.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # The pool drains, with a deadline of its own, and ends as soon as it is empty.
        "worker_soft_shutdown_timeout": 0,
        # Flower lives on them. 0.6 ms of CPU per task.
        "worker_send_task_events": True,
        # Logging is configured by who starts the worker.
        "worker_hijack_root_logger": False,
        # A broker that is away when the worker starts, or for long, is waited for.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A replica that was promoted late answers READONLY for a while, which kombu calls a channel error.
        "broker_channel_error_retry": True,
        "broker_pool_limit": 10,
        # A publisher waits for a connection this long, and not for ever. Seconds.
        "broker_pool_acquire_timeout": 5,
        "broker_connection_timeout": 4,
    }


def _broker_settings(scheme: str, visibility_timeout: timedelta) -> dict[str, Any]:
    # Bounds what needs a channel at once, such as `inspect ping`; a worker's own reconnection has no bound.
    options: dict[str, Any] = {
        "max_retries": 2,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    }
    if scheme in AMQP_SCHEMES:
        # A message counts as published when the broker has it.
        return {"broker_transport_options": {**options, "confirm_publish": True}}
    if scheme not in REDIS_SCHEMES:
        return {"broker_transport_options": options}
    settings: dict[str, Any] = {
        "broker_transport_options": {**options, **_redis_options(visibility_timeout)},
        # With one credit per slot it changes little; it keeps a message in Redis until a slot is free.
        "worker_disable_prefetch": True,
    }
    if scheme == "rediss":
        # Kombu's default is not to verify. A query in the URL (?ssl_cert_reqs=none) still wins.
        settings["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return settings


def _redis_options(visibility_timeout: timedelta) -> Mapping[str, Any]:
    return {
        # The last net. Recovery finds a dead worker's sends in seconds; a send that runs longer than this is
        # delivered once more, and finds that it is running.
        "visibility_timeout": visibility_timeout.total_seconds(),
        # Looked at every 30 seconds, not every 100.
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 3,
        # Without a timeout, a connection that went half-open (failover behind NAT) hangs a worker for ever,
        # deaf to SIGTERM. Longer than the one second that BRPOP blocks, and short: what a worker has in hand
        # is acknowledged one by one, and each waits so long for a broker that swallows everything.
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 5,
        # Kombu's 10 are too few for many acknowledgements at once: those that fail leak credit for good.
        "max_connections": 100,
        # Twice the same command could be twice the same message.
        "retry_on_timeout": False,
        "queue_order_strategy": "round_robin",
    }


def _queues(tool_queues: Sequence[QueueName], *, client_queue: bool) -> Sequence[Queue]:
    """What workers consume unless ``-Q`` says otherwise.

    Queues that clients publish to are declared as a client with default settings declares them, as RabbitMQ
    refuses a second declaration that differs.
    """
    names = [ENQUEUE_QUEUE, CLIENT_QUEUE] if client_queue else [ENQUEUE_QUEUE]
    return [*map(work_queue, (*SEND_QUEUES, WORKFLOW_QUEUE, TIMER_QUEUE, *tool_queues)), *map(_queue, names)]


def work_queue(name: QueueName) -> Queue:
    """A queue that only we publish to."""
    return _queue(name, {"x-max-priority": MAX_PRIORITY})


def _queue(name: str, arguments: Mapping[str, Any] | None = None) -> Queue:
    exchange = Exchange(name, type="direct")  # type: ignore[no-untyped-call]
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]


def broker_scheme(broker_url: str) -> str:
    """The scheme of a broker's address.

    Raises:
        SettingsInvalid: the URL is malformed.
    """
    if not broker_url:
        raise SettingsInvalid(
            "the address of the broker is missing.", hint="Set POWERLOOP_REDIS_URL=redis://…"
        )
    scheme = urlsplit(broker_url).scheme
    if scheme in REDIS_SCHEMES:
        RedisAddress.parse(broker_url)
    elif "://" not in broker_url or scheme not in TRANSPORT_ALIASES:
        hint = "Write it as redis://:password@host:6379/0 or amqp://user:password@host:5672//."
        raise SettingsInvalid(f"the address of the broker begins with {scheme!r}.", hint=hint)
    return scheme
