"""``powerloop dev``: the whole system in one terminal."""

import importlib.util
import sys
from typing import Annotated

import typer

from powerloop.cli.console import Console
from powerloop.cli.fleet import WorkerOptions, beat, environment, worker
from powerloop.cli.preflight import preflight
from powerloop.client.app import load_app
from powerloop.embedded import EmbeddedStack, ProcessGroup, Supervised
from powerloop.settings import Settings, read_settings


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("dev")(run)


def run(
    app: Annotated[
        str, typer.Option("--app", help="Modules that define agents; POWERLOOP_APP unless given.")
    ] = "",
    workers: Annotated[int, typer.Option("--workers", min=1, help="How many worker processes.")] = 1,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, help="Sends per process.")] = 200,
    flower_port: Annotated[
        int,
        typer.Option("--flower-port", min=0, help="Where Flower listens, if it is installed; 0: no Flower."),
    ] = 5555,
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run Postgres, Redis, workers, a beat and Flower in this terminal, until Ctrl-C.

    Servers whose addresses are set (POWERLOOP_DATABASE_URL, POWERLOOP_REDIS_URL) are used, not started. Other
    terminals in this folder find the system by themselves. The data stay in .powerloop for the next time.
    """
    console = Console.errors()
    settings = read_settings(discover=False, app=app)
    agents = load_app(settings.app).agents
    console.say("starting Postgres and Redis …", style="dim")
    with EmbeddedStack.from_settings(settings) as stack, ProcessGroup() as group:
        running = settings.model_copy(
            update={"database_url": stack.info.database_url, "redis_url": stack.info.redis_url}
        )
        preflight(running)
        options = WorkerOptions(concurrency=concurrency, log_level=log_level)
        for number in range(1, workers + 1):
            group.start(worker(number, running, options))
        group.start(beat(running, log_level=log_level))
        if flower_port and importlib.util.find_spec("flower"):
            group.start(_flower(running, flower_port))
            console.say(f"Flower: http://127.0.0.1:{flower_port}")
        console.say(f"agents: {', '.join(sorted(agent.name for agent in agents))}")
        console.say(
            "in another terminal, in this folder: powerloop session new AGENT; powerloop send SESSION …"
        )
        group.wait()


def _flower(settings: Settings, port: int) -> Supervised:
    broker = settings.celery_broker_url
    return Supervised(
        name="flower",
        argv=[
            *(sys.executable, "-m", "celery", "--broker", broker, "flower"),
            *("--address=127.0.0.1", f"--port={port}", "--logging=warning"),
        ],
        env=environment(settings),
    )
