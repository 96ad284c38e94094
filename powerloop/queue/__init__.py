"""The broker and what else Redis does: session locks, event streams, publishing, the Celery app."""

from powerloop.queue.app import create_app
from powerloop.queue.dispatcher import open_dispatcher
from powerloop.queue.feed import RedisEventFeed
from powerloop.queue.locks import RedisSessionLocks
from powerloop.queue.stream import RedisEventSink

__all__ = [
    "RedisEventFeed",
    "RedisEventSink",
    "RedisSessionLocks",
    "create_app",
    "open_dispatcher",
]
