"""The app of ``celery -A powerloop.beat.celery beat``, for those that have none of their own."""

from celery import Celery

from powerloop.client.remote import require_urls
from powerloop.queue import create_app
from powerloop.settings import Settings, read_settings


def build_app(settings: Settings) -> Celery:
    """The Celery app of a beat. It has no entries.

    Raises:
        SettingsInvalid: an address is missing or malformed.
    """
    require_urls(settings)
    app = create_app(settings.celery_broker_url)
    # It stores no results: there is nothing to be cleaned up once a day.
    app.conf.result_expires = None
    return app


def __getattr__(name: str) -> Celery:
    """`app`, made when it is asked for: this module is imported without settings, too."""
    if name == "app":
        return build_app(read_settings())
    raise AttributeError(name)
