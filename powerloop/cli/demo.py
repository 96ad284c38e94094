"""``powerloop demo``: the main job, shown live on the embedded stack."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console as RichConsole
from rich.rule import Rule
from rich.status import Status

from powerloop.cli import scenes, workflow_scene
from powerloop.cli.console import AsJson, Console
from powerloop.cli.fleet import WorkerOptions, beat, worker
from powerloop.cli.sample_agents import MODEL_VARIABLE
from powerloop.client.loop import AsyncPowerLoop
from powerloop.embedded import EmbeddedStack, FileLines, ProcessGroup
from powerloop.kernel.errors import DemoFailed
from powerloop.settings import Settings, read_settings

WORKERS = 2

_STAGES = (
    ("A conversation that two worker processes carry on between them", scenes.memory),
    ("An answer, streamed from the worker while the model writes it", scenes.streaming),
    ("A tool call, journaled before and after it runs", scenes.tool_call),
    (f"{scenes.CROWD} sessions at once", scenes.crowd),
    ("A parent with three sub-agents, and a question: it waits as a row", scenes.family),
    ("A workflow: a plan, research side by side, a report; each leaf on any worker", workflow_scene.workflow),
    ("The same story, and its worker is killed in the middle of it", scenes.takeover),
)

_WORKERS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class _Start:
    """Processes that are about to be up."""

    group: ProcessGroup
    lines: FileLines
    #: What is shown until then.
    shown: Status


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("demo")(run)


def run(
    model: Annotated[
        str, typer.Option("--model", help="Such as openai:gpt-4o-mini; offline unless given.")
    ] = "scripted:demo",
    as_json: AsJson = False,
) -> None:
    """Start Postgres, Redis, two workers and a beat, show what they do, and leave nothing running.

    Offline by default: a scripted model answers. With --model and the provider's key in the environment, the
    same runs against a real one.
    """
    console = Console.output(as_json)
    stage = RichConsole(quiet=as_json, highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="powerloop-demo-", ignore_cleanup_errors=True) as folder:
        # Root's Postgres runs as another account, which must pass through.
        Path(folder).chmod(0o755)
        played = _play(Path(folder), model, stage)
    stage.print(Rule("What ran where", style="dim"))
    stage.print(scenes.summary(played))
    took = time.monotonic() - began
    stage.print(f"\n{len(played)} sends, {WORKERS} workers, {took:.0f} seconds; nothing is left running.")
    pids = sorted({scenes.worker_pid(item.send) for item in played})
    console.value({"sends": len(played), "workers": pids, "seconds": round(took, 1)})


def _play(folder: Path, model: str, stage: RichConsole) -> list[scenes.Played]:
    starting = stage.status("starting Postgres, Redis, two workers and a beat …")
    with starting, EmbeddedStack(folder) as stack:
        settings = read_settings(
            discover=False,
            database_url=stack.info.database_url,
            redis_url=stack.info.redis_url,
            broker_url=stack.info.redis_url,
            app="powerloop.cli.sample_agents",
            drain_timeout=2.0,
        )
        lines = FileLines(folder / "logs")
        with ProcessGroup(lines) as group:
            for number in range(1, WORKERS + 1):
                options = WorkerOptions(environment={MODEL_VARIABLE: model})
                group.start(worker(number, settings, options, restart=False))
            group.start(beat(settings))
            return asyncio.run(_scenes(settings, stage, _Start(group, lines, starting)))


async def _scenes(settings: Settings, stage: RichConsole, start: _Start) -> list[scenes.Played]:
    played: list[scenes.Played] = []
    async with AsyncPowerLoop.from_env(settings) as loop:
        await _workers_are_up(loop, start)
        # Scenes draw what moves themselves.
        start.shown.stop()
        for title, scene in _STAGES:
            stage.print(Rule(title, style="dim", align="left"))
            played += await scene(loop, stage)
    return played


async def _workers_are_up(loop: AsyncPowerLoop, start: _Start) -> None:
    """Wait until the workers have announced their agents, so that the first scene is not spent on waiting."""
    deadline = time.monotonic() + _WORKERS_WITHIN_S
    while scenes.AGENT not in await loop.agents():
        running = [name for name in start.group.pids() if name.startswith("worker")]
        if len(running) < WORKERS or time.monotonic() > deadline:
            log = "\n".join(start.lines.tail("worker1") or start.lines.tail("worker2"))
            raise DemoFailed(f"the workers did not start.\n{log}")
        await asyncio.sleep(0.05)
