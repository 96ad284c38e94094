"""``powerloop demo``: the main job, shown live on the embedded stack."""

import asyncio
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console as RichConsole
from rich.rule import Rule
from rich.status import Status

from powerloop.cli import scenes, wakeup_scene, workflow_scene
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

_ALARM = "An agent sets its alarm, and its send ends"
_OUTAGE = "Everything is stopped: workers, beat, Redis, Postgres"
_WAKE = "All of it is started again on the same data, and the agent is woken"

_WORKERS_WITHIN_S = 30.0
#: Of each process, where the demo fails.
_LOGGED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _System:
    """Servers, workers and a beat that were started."""

    settings: Settings
    group: ProcessGroup
    #: All of its processes, by name.
    pids: Mapping[str, int]


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

    Near the end all of it is stopped, and started again on the same data.

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
    pids = sorted({scenes.worker_pid(item.send) for item in played})
    stage.print(
        f"\n{len(played)} sends, {WORKERS} workers at a time, {took:.0f} seconds; nothing is left running."
    )
    console.value({"sends": len(played), "workers": pids, "seconds": round(took, 1)})


def _play(folder: Path, model: str, stage: RichConsole) -> list[scenes.Played]:
    """All scenes. Before the last one, everything is stopped; nothing but the folder is left."""
    starting = stage.status("starting Postgres, Redis, two workers and a beat …")
    with starting as shown, _running(folder, model) as system:
        played, alarm = asyncio.run(_before(system, stage, shown))
        _announce(stage, _OUTAGE)
        shown.update("stopping …")
        shown.start()
    down_at = wakeup_scene.sleep_through(stage, alarm, system.pids)
    _announce(stage, _WAKE)
    with stage.status("starting …") as shown, _running(folder, model) as system:
        shown.stop()
        return [*played, asyncio.run(_after(system, stage, alarm, down_at))]


@contextmanager
def _running(folder: Path, model: str) -> Iterator[_System]:
    """The system on the data of a folder. Workers that are killed stay so."""
    with EmbeddedStack(folder) as stack:
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
            pids = {**stack.info.servers, **group.pids()}
            try:
                yield _System(settings=settings, group=group, pids=pids)
            except DemoFailed as failed:
                # Their files go with the folder.
                raise DemoFailed(f"{failed.message}\n{_last_lines(lines, pids)}") from failed


async def _before(
    system: _System, stage: RichConsole, shown: Status
) -> tuple[list[scenes.Played], wakeup_scene.Alarm]:
    """The scenes before everything is stopped."""
    played: list[scenes.Played] = []
    async with AsyncPowerLoop.from_env(system.settings) as loop:
        await _workers_are_up(loop, system)
        # Scenes draw what moves themselves.
        shown.stop()
        for title, scene in _STAGES:
            _announce(stage, title)
            played += await scene(loop, stage)
        _announce(stage, _ALARM)
        alarm = await wakeup_scene.set_alarm(loop, stage)
    return [*played, scenes.Played("alarm", alarm.send)], alarm


async def _after(
    system: _System, stage: RichConsole, alarm: wakeup_scene.Alarm, down_at: datetime
) -> scenes.Played:
    """The scene after everything was started again."""
    async with AsyncPowerLoop.from_env(system.settings) as loop:
        return await wakeup_scene.wake(loop, stage, alarm, down_at, system.pids)


def _last_lines(lines: FileLines, names: Iterable[str]) -> str:
    """The end of what each of these processes has said."""
    return "\n".join(f"{name} | {line}" for name in names for line in lines.tail(name, _LOGGED))


def _announce(stage: RichConsole, title: str) -> None:
    stage.print(Rule(title, style="dim", align="left"))


async def _workers_are_up(loop: AsyncPowerLoop, system: _System) -> None:
    """Wait until the workers have announced their agents, so that the first scene is not spent on waiting."""
    deadline = time.monotonic() + _WORKERS_WITHIN_S
    while scenes.AGENT not in await loop.agents():
        running = [name for name in system.group.pids() if name.startswith("worker")]
        if len(running) < WORKERS or time.monotonic() > deadline:
            raise DemoFailed("the workers did not start.")
        await asyncio.sleep(0.05)
