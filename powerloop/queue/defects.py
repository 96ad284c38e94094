"""What is wrong with a message, if anything: whether Celery can take it, judged from its bytes alone."""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from kombu.message import Message

from powerloop.queue.routing import TASK_PREFIX

_JSON: Final = "application/json"

#: Headers of which another type ends a worker. Each may be null, or missing.
_HEADER_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "shadow": (str, "text"),
    "root_id": (str, "text"),
    "parent_id": (str, "text"),
    "eta": (str, "text"),
    "expires": (str, "text"),
    "timelimit": (list, "list"),
    "stamped_headers": (list, "list"),
}

#: What a link of a chain must have; a task that fails looks into those that were to follow it.
_SIGNATURE_TYPES: Final[Mapping[str, type]] = {"task": str, "args": list, "kwargs": dict, "options": dict}


class _DefectError(ValueError):
    """Raised with what is wrong."""


def defect_of(message: bytes) -> str | None:
    """Why no worker can take the message, or `None` if one can.

    It must be what Celery's protocol 2 makes of a JSON task on Redis. What only the task can judge, its name
    and its arguments, is left to Celery, which logs what it refuses.
    """
    try:
        envelope = _json(message, "the message")
        _check_properties(_object(envelope, "the message"))
        _check_headers(_object(envelope.get("headers"), "headers"))
        _check_body(envelope)
    except _DefectError as error:
        return str(error)
    return None


def is_ours(message: bytes) -> bool:
    """Whether a message on Redis is for one of our tasks, whatever else may be wrong with it."""
    try:
        task = json.loads(message)["headers"]["task"]
    except (ValueError, LookupError, TypeError):
        return False
    return isinstance(task, str) and task.startswith(TASK_PREFIX)


def defect_of_delivery(message: Message) -> str | None:
    """Why no worker can take a message that a broker has delivered, or `None` if one can.

    A broker other than Redis looks after the properties itself.
    """
    envelope = {
        "properties": {},
        "body": message.body,
        "content-type": message.content_type,
        "content-encoding": message.content_encoding,
    }
    try:
        _check_headers(_object(message.headers, "headers"))
        _check_body(envelope)
    except _DefectError as error:
        return str(error)
    return None


def _check_properties(envelope: Mapping[str, Any]) -> None:
    properties = _object(envelope.get("properties"), "properties")
    _text(properties, "delivery_tag", "properties")
    delivery = _object(properties.get("delivery_info"), "properties.delivery_info")
    for name in ("exchange", "routing_key"):
        if not isinstance(delivery.get(name), str):
            raise _DefectError(f"properties.delivery_info.{name} is no text")


def _check_headers(headers: Mapping[str, Any]) -> None:
    for name in ("task", "id"):
        _text(headers, name, "headers")
    for name, (kind, word) in _HEADER_TYPES.items():
        if not isinstance(headers.get(name), kind | None):
            raise _DefectError(f"headers.{name} is no {word}")
    limits = headers.get("timelimit")
    if limits and len(limits) != 2:
        raise _DefectError("headers.timelimit is no pair")


def _check_body(envelope: Mapping[str, Any]) -> None:
    if envelope.get("content-type") != _JSON:
        raise _DefectError(f"content-type is not {_JSON}")
    if not isinstance(envelope.get("content-encoding"), str | None):
        raise _DefectError("content-encoding is no text")
    content = _json(_decoded(envelope), "body")
    if not (isinstance(content, list) and len(content) == 3):
        raise _DefectError("body is no list of args, kwargs and embed")
    args, kwargs, embed = content
    if not isinstance(args, list) or not isinstance(kwargs, dict) or not isinstance(embed, dict | None):
        raise _DefectError("body is no list of args (a list), kwargs (an object) and embed (an object)")
    _check_chain((embed or {}).get("chain") or [])


def _check_chain(chain: object) -> None:
    if not isinstance(chain, list) or not all(_is_signature(link) for link in chain):
        raise _DefectError("embed.chain is no list of signatures")


def _is_signature(link: object) -> bool:
    return isinstance(link, dict) and all(isinstance(link.get(k), t) for k, t in _SIGNATURE_TYPES.items())


def _decoded(envelope: Mapping[str, Any]) -> str | bytes:
    body = envelope.get("body")
    if not isinstance(body, str | bytes):
        raise _DefectError("body is no text")
    if envelope["properties"].get("body_encoding") != "base64":
        return body
    try:
        return b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _DefectError(f"body is no base64: {error}") from error


def _json(text: str | bytes, name: str) -> Any:  # noqa: ANN401 - JSON can be anything
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _DefectError(f"{name} is no JSON: {error}") from error


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _DefectError(f"{name} is no object")
    return value


def _text(values: Mapping[str, Any], key: str, name: str) -> None:
    if not isinstance(values.get(key), str) or not values[key]:
        raise _DefectError(f"{name}.{key} is missing")
