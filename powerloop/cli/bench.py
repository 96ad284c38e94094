"""``powerloop bench``: what the system costs, measured through its public face."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from uuid6 import uuid7

from powerloop.cli.console import AsJson, Console
from powerloop.cli.fleet import WorkerOptions, beat, worker
from powerloop.client.loop import AsyncPowerLoop
from powerloop.embedded import EmbeddedStack, FileLines, ProcessGroup
from powerloop.settings import Settings, read_settings
from powerloop.store.probe import probe

AGENT = "echo"
_IN_FLIGHT = 32
_WARM_UP = 20

bench = typer.Typer(name="bench", help="Measure what the system costs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    app.add_typer(bench)


@bench.callback()
def _family() -> None:
    """Keep `bench sends` a subcommand while it is the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendsMeasured:
    """What `bench sends` found. Times in milliseconds, rates per second."""

    sessions: int
    sends: int
    workers: int
    enqueued_per_s: float
    completed_per_s: float
    #: From the call of `send` to its return: the send is durable.
    accept_p50_ms: float
    accept_p99_ms: float
    #: From the call of `send` to the result in the producer's hands, the wait for earlier sends of the
    #: session included.
    done_p50_ms: float
    done_p99_ms: float
    #: Of all processes: producer, workers, beat, Postgres and Redis.
    cpu_ms_per_send: float
    #: Write transactions in Postgres.
    commits_per_send: float


@bench.command("sends")
def sends(
    sessions: Annotated[int, typer.Option("--sessions", min=1)] = 50,
    sends: Annotated[int, typer.Option("--sends", min=1)] = 500,
    workers: Annotated[int, typer.Option("--workers", min=1)] = 2,
    as_json: AsJson = False,
) -> None:
    """Enqueue sends as fast as they are accepted, and wait for every result. The model answers at once.

    Runs on an embedded stack of its own, so that the processor time of every process can be counted.
    """
    with tempfile.TemporaryDirectory(prefix="powerloop-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        measured = _run(Path(folder), sessions, sends, workers)
    Console.output(as_json).record(asdict(measured))


def _run(folder: Path, sessions: int, sends: int, workers: int) -> SendsMeasured:
    with EmbeddedStack(folder) as stack, ProcessGroup(FileLines(folder / "logs")) as group:
        settings = read_settings(
            discover=False,
            database_url=stack.info.database_url,
            redis_url=stack.info.redis_url,
            broker_url=stack.info.redis_url,
            app="powerloop.cli.sample_agents",
            drain_timeout=2.0,
        )
        for number in range(1, workers + 1):
            group.start(worker(number, settings, WorkerOptions(log_level="WARNING"), restart=False))
        group.start(beat(settings, log_level="WARNING"))
        return asyncio.run(_measure(settings, sessions, sends, workers))


async def _measure(settings: Settings, sessions: int, sends: int, workers: int) -> SendsMeasured:
    async with AsyncPowerLoop.from_env(settings) as loop:
        ids = [(await loop.create_session(AGENT)).id for _ in range(sessions)]
        # Each worker connects, compiles and fills its caches before the clock starts.
        await asyncio.gather(*(_one(loop, str(uuid7()), new=True) for _ in range(_WARM_UP * workers)))
        cpu, commits = _cpu_seconds(), await _commits(settings)
        gate = asyncio.Semaphore(_IN_FLIGHT)
        began = time.perf_counter()
        tasks = [asyncio.create_task(_one(loop, ids[number % sessions], gate)) for number in range(sends)]
        times = await asyncio.gather(*tasks)
        ended = time.perf_counter()
        commits = await _commits(settings) - commits
        cpu = _cpu_seconds() - cpu
    accepted = max(accepted for _, accepted, _ in times)
    accepts = sorted(accepted - started for started, accepted, _ in times)
    dones = sorted(done - started for started, _, done in times)
    return SendsMeasured(
        sessions=sessions,
        sends=sends,
        workers=workers,
        enqueued_per_s=round(sends / (accepted - began), 1),
        completed_per_s=round(sends / (ended - began), 1),
        accept_p50_ms=_percentile(accepts, 0.5),
        accept_p99_ms=_percentile(accepts, 0.99),
        done_p50_ms=_percentile(dones, 0.5),
        done_p99_ms=_percentile(dones, 0.99),
        cpu_ms_per_send=round(cpu * 1000 / sends, 2),
        commits_per_send=round(commits / sends, 2),
    )


async def _one(
    loop: AsyncPowerLoop, session_id: str, gate: asyncio.Semaphore | None = None, *, new: bool = False
) -> tuple[float, float, float]:
    """One send: when it was begun, accepted, and done."""
    if new:
        await loop.create_session(AGENT, id=session_id)
    async with gate or asyncio.Semaphore():
        started = time.perf_counter()
        handle = await loop.send(session_id, "ping")
        accepted = time.perf_counter()
    await handle.result(timeout=300)
    return started, accepted, time.perf_counter()


async def _commits(settings: Settings) -> int:
    return (await probe(settings.database_url)).write_transactions


def _cpu_seconds() -> float:
    """Processor time of this process and all below it so far."""
    this = psutil.Process()
    total = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    # Children of Postgres that have ended are in their parent's account.
    return total + sum(
        process.cpu_times().children_user + process.cpu_times().children_system
        for process in this.children(recursive=True)
        if process.is_running()
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """A value of the ordered sequence, in milliseconds."""
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 2)
