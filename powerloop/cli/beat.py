"""``powerloop beat``: fire timers, and bring back what was lost."""

import os
from typing import Annotated

import typer

from powerloop.cli.fleet import beat_command, environment
from powerloop.client.remote import require_urls
from powerloop.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("beat")(run)


def run(
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    celery_app: Annotated[
        str,
        typer.Option("--celery-app", help="A Celery app, as -A names it, whose beat_schedule is served too."),
    ] = "",
) -> None:
    """Fire timers, bring back what was lost, and keep house, until SIGTERM or Ctrl-C.

    Run one beside your workers, or several on different machines: each tick of a timer is fired, and each
    lost send found, by one of them. A database or broker that is away is waited for. The same as
    `celery beat -S powerloop.beat:TimerScheduler` with an app of your own.
    """
    settings = read_settings()
    require_urls(settings)
    command = beat_command(log_level, celery_app)
    os.execve(command[0], command, environment(settings))  # noqa: S606 - this interpreter, and no shell
