"""The app of ``celery -A powerloop.workers worker``: our tasks, wired to what the environment names."""

from celery import Celery

from powerloop.client.app import load_app
from powerloop.queue import create_app
from powerloop.settings import Settings, read_settings

from .lifecycle import attach_lifecycle
from .logs import log_as_we_do
from .pool_options import HEARTBEAT_FILE
from .tasks import register_tasks
from .wiring import build_lifecycle


def build_app(settings: Settings) -> Celery:
    """The Celery app of a worker, with our tasks in it.

    Raises:
        SettingsInvalid: an address is missing or malformed.
        AppBroken: the modules that define the agents cannot be loaded.
    """
    lifecycle = build_lifecycle(settings)
    app = create_app(
        settings.celery_broker_url,
        drain_timeout=settings.drain_timeout,
        tool_queues=load_app(settings.app).agents.tool_queues,
        chords=settings.redis_url,
    )
    if settings.heartbeat_file:
        app.conf[HEARTBEAT_FILE] = settings.heartbeat_file
    attach_lifecycle(app, lifecycle)
    register_tasks(app, lifecycle)
    log_as_we_do()
    return app


app = build_app(read_settings())
