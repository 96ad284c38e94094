"""What is published for an activation: a task message of Celery's protocol 2, and the event that tells it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, Final
from uuid import uuid4

from celery.utils.time import utcoffset

from powerloop.kernel.dispatch import Activation
from powerloop.queue.chords import chord_of
from powerloop.queue.routing import TASK_PREFIX, redis_priority

EVENT_EXCHANGE: Final = "celeryev"
EVENT_ROUTING_KEY: Final = "task.multi"

_PREVIEW_LENGTH: Final = 120
_NO_CALLBACKS: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def shown_name(activation: Activation) -> str:
    """The task's name in monitors.

    Kind and agent or tool, and no id: it becomes a label of metrics.
    """
    return f"{activation.kind} {activation.actor}"


def task_name(activation: Activation) -> str:
    """The task that drives it."""
    return f"{TASK_PREFIX}{activation.kind}"


def shown_args(activation: Activation, *, preview: bool) -> str:
    """The task's arguments in monitors: ids, and how the input begins if that may be shown."""
    ids = activation.ids
    return f"{ids} {activation.preview[:_PREVIEW_LENGTH]!r}" if preview and activation.preview else ids


def task_message(activation: Activation, *, origin: str, preview: bool) -> str:
    """The message as it lies in a Redis list. It carries ids only.

    Args:
        activation: What it wakes.
        origin: Who publishes, for the eyes of an operator.
        preview: Whether it shows how the input begins.
    """
    headers = {
        "lang": "py",
        "task": task_name(activation),
        "id": activation.id,
        "shadow": shown_name(activation),
        "root_id": activation.root_id,
        "parent_id": activation.parent_id,
        "argsrepr": shown_args(activation, preview=preview),
        "kwargsrepr": "{}",
        "retries": 0,
        "timelimit": [None, None],
        "eta": None,
        "expires": None,
        "group": activation.group_id,
        "group_index": activation.group_index if activation.group_size else None,
        "ignore_result": True,
        "origin": origin,
    }
    properties = {
        "correlation_id": activation.id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": activation.queue},
        "priority": redis_priority(activation.priority),
    }
    embedded = {**_NO_CALLBACKS, "chord": chord_of(activation)}
    return _envelope([[activation.id], {}, embedded], headers, properties)


def sent_message(activations: Sequence[Activation], *, origin: str, preview: bool) -> str:
    """Celery's ``task-sent`` events for the activations, as one message of its event exchange."""
    now, offset = time(), utcoffset()
    events = [
        {
            "type": "task-sent",
            "timestamp": now,
            "utcoffset": offset,
            "hostname": origin,
            "uuid": activation.id,
            "root_id": activation.root_id,
            "parent_id": activation.parent_id,
            "name": shown_name(activation),
            "args": shown_args(activation, preview=preview),
            "kwargs": "{}",
            "retries": 0,
            "eta": None,
            "expires": None,
            "queue": activation.queue,
            "exchange": "",
            "routing_key": activation.queue,
        }
        for activation in activations
    ]
    properties = {
        "delivery_mode": 1,
        "delivery_info": {"exchange": EVENT_EXCHANGE, "routing_key": EVENT_ROUTING_KEY},
        "priority": 0,
    }
    return _envelope(events, {"hostname": origin}, properties)


def event_topic(database: int) -> str:
    """The pub/sub channel of Celery's events on a database of Redis."""
    return f"/{database}.{EVENT_EXCHANGE}/{EVENT_ROUTING_KEY}"


def _envelope(body: Sequence[Any], headers: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """What Celery's Redis transport makes of a message."""
    return json.dumps(
        {
            "body": b64encode(json.dumps(body).encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {**properties, "body_encoding": "base64", "delivery_tag": str(uuid4())},
        }
    )
