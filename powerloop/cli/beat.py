"""``powerloop beat``: recover what was lost."""

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
) -> None:
    """Find sends that nobody drives, and have workers go on with them, until SIGTERM or Ctrl-C.

    Run one beside your workers, or several on different machines: each lost send is found by one of them. A
    database or broker that is away is waited for. The same as `python -m powerloop.beat`.
    """
    settings = read_settings()
    require_urls(settings)
    command = beat_command(log_level)
    os.execve(command[0], command, environment(settings))  # noqa: S606 - this interpreter, and no shell
