"""The entry point: the tree of commands, and what becomes of an error."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from powerloop.cli import (
    agents,
    beat,
    bench,
    cancel,
    db,
    demo,
    dev,
    doctor,
    fsck,
    inbox,
    sending,
    sends,
    sessions,
    timers,
    usage,
    worker,
    workflows,
)
from powerloop.cli.console import Console
from powerloop.cli.exit_codes import exit_code
from powerloop.kernel.errors import PowerLoopError

DEBUG = "--debug"

app = typer.Typer(
    name="powerloop",
    help="Durable LLM agents as background jobs on Celery, Redis and Postgres.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for family in (
    demo,
    dev,
    worker,
    beat,
    sending,
    cancel,
    inbox,
    sessions,
    sends,
    timers,
    usage,
    agents,
    workflows,
    db,
    doctor,
    fsck,
    bench,
):
    family.register(app)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error.")] = False,
) -> None:
    """Options that stand before the command."""
    del debug  # `run` takes it from wherever it stands


def main() -> None:
    """Run the command that the process was called with, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; the exit code."""
    debug = DEBUG in arguments
    try:
        app(args=[argument for argument in arguments if argument != DEBUG], prog_name="powerloop")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except PowerLoopError as error:
        if debug:
            raise
        Console.errors().error(error)
        return exit_code(error)
    except Exception as error:
        if debug:
            raise
        Console.errors().say(f"internal: {type(error).__name__}: {error}", style="red")
        Console.errors().say("This is a defect. Run it again with --debug for the traceback.")
        return 1
    return 0
