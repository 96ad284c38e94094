"""The system that ``powerloop bench`` measures, an embedded stack with workers and beats; what it uses."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil
from uuid6 import uuid7

from powerloop.cli.fleet import WorkerOptions, beat, worker
from powerloop.client.loop import AsyncPowerLoop
from powerloop.embedded import EmbeddedStack, FileLines, ProcessGroup
from powerloop.settings import Settings, read_settings
from powerloop.store.probe import probe

AGENT: Final = "echo"

#: Sends per worker before the clock starts.
_WARM_UP: Final = 20
_TIMEOUT_S: Final = 300


@contextmanager
def bench_system(workers: int, *, beats: int = 1) -> Iterator[Settings]:
    """A system of its own, so that the processor time of every process can be counted. The model answers at
    once. Without workers, what is sent stays where it is."""
    with tempfile.TemporaryDirectory(prefix="powerloop-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
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
            for number in range(1, beats + 1):
                group.start(beat(settings, log_level="WARNING", number=number))
            yield settings


async def warm_up(loop: AsyncPowerLoop, workers: int) -> None:
    """Have each worker connect, compile and fill its caches."""

    async def visit() -> None:
        session = await loop.create_session(AGENT, id=str(uuid7()))
        await (await loop.send(session.id, "ping")).result(timeout=_TIMEOUT_S)

    await asyncio.gather(*(visit() for _ in range(_WARM_UP * workers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a system has used so far."""

    #: Processor time of all processes: producer, workers, beats, Postgres and Redis.
    cpu_s: float
    #: Write transactions in Postgres.
    commits: int

    @classmethod
    async def so_far(cls, settings: Settings) -> Self:
        """What it has used until now, by this process and all below it."""
        return cls(cpu_s=_cpu_seconds(), commits=(await probe(settings.database_url)).write_transactions)

    def since(self, before: "Used") -> "Used":
        """What it has used since then."""
        return Used(cpu_s=self.cpu_s - before.cpu_s, commits=self.commits - before.commits)


def percentile_ms(ordered_s: Sequence[float], share: float) -> float:
    """The value below which that share of the ordered values, in seconds, lies; in milliseconds."""
    return round(ordered_s[min(int(len(ordered_s) * share), len(ordered_s) - 1)] * 1000, 2)


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
