"""Choosing the dispatcher that fits the broker."""

from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.queue.app import broker_scheme, create_app
from powerloop.queue.kombu_dispatcher import KombuDispatcher
from powerloop.queue.redis_address import SCHEMES as REDIS_SCHEMES
from powerloop.queue.redis_dispatcher import RedisDispatcher


def open_dispatcher(broker_url: str, *, preview: bool = True, events: bool = True) -> Dispatcher:
    """A dispatcher for the broker. It connects when it first publishes; use it on one event loop.

    Args:
        broker_url: ``redis://…``, ``rediss://…``, ``amqp://…``, or another broker of kombu.
        preview: Whether monitors are shown how inputs begin.
        events: Whether monitors are told of a task when it is first published.

    Raises:
        SettingsInvalid: the URL is malformed.
    """
    if broker_scheme(broker_url) in REDIS_SCHEMES:
        return RedisDispatcher(broker_url, preview=preview, events=events)
    return KombuDispatcher(create_app(broker_url), preview=preview, events=events)
