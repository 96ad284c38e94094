"""``powerloop worker``: run sends."""

import signal
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from powerloop.cli.console import Console
from powerloop.cli.fleet import WorkerOptions, worker
from powerloop.cli.preflight import preflight
from powerloop.client.app import load_app
from powerloop.embedded import ProcessGroup
from powerloop.kernel.errors import InvalidInput
from powerloop.mending.words import did_you_mean
from powerloop.queue.routing import OUR_QUEUES
from powerloop.settings import read_settings


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("worker")(run)


def run(
    app: Annotated[
        str, typer.Option("--app", help="Modules that define agents; POWERLOOP_APP unless given.")
    ] = "",
    processes: Annotated[int, typer.Option("--processes", "-p", min=1, help="How many; one per core.")] = 1,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, help="Sends per process.")] = 200,
    queues: Annotated[
        str, typer.Option("--queues", "-Q", help="Celery queues, also those of tools; all unless given.")
    ] = "",
    pool: Annotated[str, typer.Option("--pool", help="asyncio, or Celery's solo or prefork.")] = "asyncio",
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run sends until SIGTERM or Ctrl-C; then hand over what runs and exit.

    A process that dies is started again. The same as `celery -A powerloop.workers worker`, several times.
    """
    settings = read_settings(app=app)
    agents = load_app(settings.app).agents
    _check_queues(queues, known=(*OUR_QUEUES, *agents.tool_queues))
    preflight(settings)
    options = WorkerOptions(concurrency=concurrency, queues=queues, pool=pool, log_level=log_level)
    names = ", ".join(sorted(agent.name for agent in agents))
    Console.errors().say(f"{processes} process(es), {concurrency} sends each; agents: {names}")
    signal.signal(signal.SIGTERM, _stop)
    with ProcessGroup() as group:
        for number in range(1, processes + 1):
            group.start(worker(number, settings, options))
        ended = group.wait()
    raise typer.Exit(ended.exit_code if ended else 0)


def _check_queues(queues: str, *, known: Sequence[str]) -> None:
    """Pass if all the queues are there to be consumed.

    Raises:
        InvalidInput: one is not.
    """
    for name in filter(None, (one.strip() for one in queues.split(","))):
        if name not in known:
            nearest = did_you_mean(name, known).capitalize()
            raise InvalidInput(
                f"there is no queue {name!r}.", hint=f"{nearest} The queues are: {', '.join(known)}.".strip()
            )


def _stop(number: int, frame: object) -> NoReturn:
    """Leave the group's block, which stops the processes in order."""
    del number, frame
    raise SystemExit(0)
