"""What worker processes log: as all of our processes do, instead of as Celery does."""

import logging
from typing import Any

from celery import signals

from powerloop.logs import log_with_fields


def log_as_we_do() -> None:
    """Have Celery leave the logs of this process to us."""
    signals.setup_logging.connect(_set_up, weak=False)


def _set_up(loglevel: int = logging.INFO, logfile: str | None = None, **_: Any) -> None:  # noqa: ANN401 - a signal
    log_with_fields(loglevel or logging.INFO, logfile)
