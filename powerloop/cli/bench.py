"""``powerloop bench``: what the system costs, measured through its public face."""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from powerloop.cli import bench_fanout, bench_timers
from powerloop.cli.bench_system import AGENT, Used, bench_system, percentile_ms, warm_up
from powerloop.cli.console import AsJson, Console
from powerloop.client.loop import AsyncPowerLoop
from powerloop.settings import Settings

_IN_FLIGHT = 32

bench = typer.Typer(name="bench", help="Measure what the system costs.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    bench_fanout.register(bench)
    bench_timers.register(bench)
    app.add_typer(bench)


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
    with bench_system(workers) as settings:
        measured = asyncio.run(_measure(settings, sessions, sends, workers))
    Console.output(as_json).record(asdict(measured))


async def _measure(settings: Settings, sessions: int, sends: int, workers: int) -> SendsMeasured:
    async with AsyncPowerLoop.from_env(settings) as loop:
        ids = [(await loop.create_session(AGENT)).id for _ in range(sessions)]
        await warm_up(loop, workers)
        before = await Used.so_far(settings)
        gate = asyncio.Semaphore(_IN_FLIGHT)
        began = time.perf_counter()
        tasks = [asyncio.create_task(_one(loop, ids[number % sessions], gate)) for number in range(sends)]
        times = await asyncio.gather(*tasks)
        ended = time.perf_counter()
        used = (await Used.so_far(settings)).since(before)
    accepted = max(accepted for _, accepted, _ in times)
    accepts = sorted(accepted - started for started, accepted, _ in times)
    dones = sorted(done - started for started, _, done in times)
    return SendsMeasured(
        sessions=sessions,
        sends=sends,
        workers=workers,
        enqueued_per_s=round(sends / (accepted - began), 1),
        completed_per_s=round(sends / (ended - began), 1),
        accept_p50_ms=percentile_ms(accepts, 0.5),
        accept_p99_ms=percentile_ms(accepts, 0.99),
        done_p50_ms=percentile_ms(dones, 0.5),
        done_p99_ms=percentile_ms(dones, 0.99),
        cpu_ms_per_send=round(used.cpu_s * 1000 / sends, 2),
        commits_per_send=round(used.commits / sends, 2),
    )


async def _one(loop: AsyncPowerLoop, session_id: str, gate: asyncio.Semaphore) -> tuple[float, float, float]:
    """One send: when it was begun, accepted, and done."""
    async with gate:
        started = time.perf_counter()
        handle = await loop.send(session_id, "ping")
        accepted = time.perf_counter()
    await handle.result(timeout=300)
    return started, accepted, time.perf_counter()
