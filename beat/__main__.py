"""``python -m powerloop.beat``: the same as ``powerloop beat``."""

import signal
from typing import Annotated, NoReturn

import typer
from celery import Celery
from celery.app.utils import find_app
from celery.beat import Service

from powerloop.cli.console import Console
from powerloop.cli.exit_codes import exit_code
from powerloop.kernel.errors import AppBroken, PowerLoopError
from powerloop.logs import log_with_fields
from powerloop.settings import read_settings

from .celery import build_app
from .scheduler import TimerScheduler


def main(
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    celery_app: Annotated[
        str, typer.Option("--celery-app", help="A Celery app whose beat_schedule is served too.")
    ] = "",
) -> None:
    """Fire timers, and find sends that nobody drives, until SIGTERM or Ctrl-C."""
    log_with_fields(log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        app = _find(celery_app) if celery_app else build_app(read_settings())
        Service(app=app, scheduler_cls=TimerScheduler).start()
    except PowerLoopError as error:
        Console.errors().error(error)
        raise typer.Exit(exit_code(error)) from error


def _find(name: str) -> Celery:
    """The app of that name, as ``celery -A`` finds it.

    Raises:
        AppBroken: there is none.
    """
    try:
        return find_app(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AppBroken(f"no Celery app is found as {name!r}: {error}.") from error


def _stop(number: int, frame: object) -> NoReturn:
    """End the tick, whatever it is at."""
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    typer.run(main)
