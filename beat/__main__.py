"""``python -m powerloop.beat``: the same as ``powerloop beat``."""

import asyncio
from typing import Annotated

import typer

from powerloop.cli.console import Console
from powerloop.cli.exit_codes import exit_code
from powerloop.kernel.errors import PowerLoopError
from powerloop.logs import log_with_fields
from powerloop.settings import read_settings

from .recovery import recover_until_stopped


def main(
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Find sends that nobody drives, and have workers go on with them, until SIGTERM or Ctrl-C."""
    log_with_fields(log_level)
    try:
        asyncio.run(recover_until_stopped(read_settings()))
    except PowerLoopError as error:
        Console.errors().error(error)
        raise typer.Exit(exit_code(error)) from error


if __name__ == "__main__":
    typer.run(main)
