"""Choosing the dispatcher that fits the broker."""

from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.queue.app import broker_scheme, create_app
from powerloop.queue.chords import ChordingDispatcher
from powerloop.queue.kombu_dispatcher import KombuDispatcher
from powerloop.queue.redis_address import SCHEMES as REDIS_SCHEMES
from powerloop.queue.redis_dispatcher import RedisDispatcher


def open_dispatcher(
    broker_url: str, *, preview: bool = True, events: bool = True, chords: str | None = None
) -> Dispatcher:
    """A dispatcher for the broker. It connects when it first publishes; use it on one event loop.

    Args:
        broker_url: ``redis://…``, ``rediss://…``, ``amqp://…``, or another broker of kombu.
        preview: Whether monitors are shown how inputs begin.
        events: Whether monitors are told of a task when it is first published.
        chords: The Redis where Celery counts the members of fan-outs; `None`: they are not counted.

    Raises:
        SettingsInvalid: a URL is malformed.
    """
    dispatcher: Dispatcher
    if broker_scheme(broker_url) in REDIS_SCHEMES:
        dispatcher = RedisDispatcher(broker_url, preview=preview, events=events)
    else:
        dispatcher = KombuDispatcher(create_app(broker_url), preview=preview, events=events)
    return ChordingDispatcher(dispatcher, chords) if chords else dispatcher
