"""How long a send waits for another worker when its own is killed, with default settings.

Two workers hold sends in slow model calls; one of them is killed by SIGKILL and replaced, time after time.

Run it: ``python tests/benchmarks/takeover.py --kills 50``. Other workers must not run on the same Redis.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL
from time import monotonic

from powerloop import Agent, AsyncPowerLoop, SendHandle, SendStatus
from powerloop.cli.fleet import WorkerOptions, beat, worker
from powerloop.embedded import EmbeddedStack, FileLines, ProcessGroup, StackInfo
from powerloop.kernel.sends import Send
from powerloop.llm.script import Script, Turn
from powerloop.settings import Settings, read_settings

#: What the workers run: this file is their module too.
slow = Script(otherwise=Turn(text="At last.", delay=timedelta(minutes=10)))
agent = Agent(name="takeover", model="scripted:slow")

_POLL_S = 0.01
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoversMeasured:
    """Seconds from the kill of a send's worker to the claim by another one, as the database shows it."""

    kills: int
    takeovers: int
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float


class Fleet:
    """Two workers and a beat. The workers are called by numbers, each of which is used once."""

    def __init__(self, group: ProcessGroup, lines: FileLines, settings: Settings) -> None:
        self._group = group
        self._lines = lines
        self._settings = settings
        self._started = 0
        group.start(beat(settings, log_level="WARNING"))
        self.add()
        self.add()

    def add(self) -> None:
        """Start a worker."""
        self._started += 1
        process = worker(self._started, self._settings, WorkerOptions(), restart=False)
        self._group.start(replace(process, cwd=Path(__file__).parent))

    async def ready(self) -> None:
        """Wait until all that were started take sends."""
        for number in (self._started - 1, self._started):
            log = self._lines.path_of(f"worker{number}")
            async with asyncio.timeout(_TIMEOUT_S):
                while not (log.exists() and " ready." in log.read_text()):
                    await asyncio.sleep(_POLL_S)

    def kill(self, pid: int) -> None:
        """Kill the worker that has this process id."""
        [name] = [name for name, known in self._group.pids().items() if known == pid]
        self._group.signal(name, SIGKILL)


async def measure(fleet: Fleet, settings: Settings, kills: int, sends: int) -> TakeoversMeasured:
    """Kill so many workers, at any moment of their lives; sends that lose theirs are measured."""
    times: list[float] = []
    async with AsyncPowerLoop.from_env(settings) as loop:
        for number in range(1, kills + 1):
            await fleet.ready()
            handles = [await begin(loop) for _ in range(sends)]
            running = await all_running(handles)
            await asyncio.sleep(random.uniform(0.0, 1.0))
            [(pid, _)] = Counter(map(pid_of, running)).most_common(1)
            lost = [send for send in running if pid_of(send) == pid]
            fleet.kill(pid)
            killed_at = monotonic()
            fleet.add()
            times += await taken_over(loop, lost, killed_at)
            sys.stderr.write(f"kill {number}: {len(lost)} sends, the last after {times[-1]:.2f} s\n")
            await forget(loop, handles)
    return summary(kills, sorted(times))


async def begin(loop: AsyncPowerLoop) -> SendHandle:
    """A send in a session of its own."""
    session = await loop.create_session(agent.name)
    return await loop.send(session.id, "Take your time.")


async def all_running(handles: Sequence[SendHandle]) -> Sequence[Send]:
    """The sends, once each has its worker."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            sends = [await handle.refresh() for handle in handles]
            if all(send.status is SendStatus.RUNNING for send in sends):
                return sends
            await asyncio.sleep(_POLL_S)


async def taken_over(loop: AsyncPowerLoop, lost: Sequence[Send], killed_at: float) -> Sequence[float]:
    """Seconds until each of the sends was claimed anew, in that order."""
    epochs = {send.id: send.epoch for send in lost}
    times: list[float] = []
    async with asyncio.timeout(_TIMEOUT_S):
        while epochs:
            running = await loop.list_sends(agent=agent.name, status=SendStatus.RUNNING, limit=1_000)
            seen_at = monotonic()
            for send in running:
                if send.id in epochs and send.epoch > epochs[send.id]:
                    del epochs[send.id]
                    times.append(seen_at - killed_at)
            await asyncio.sleep(_POLL_S)
    return times


async def forget(loop: AsyncPowerLoop, handles: Sequence[SendHandle]) -> None:
    """End the sends, and leave nothing of them."""
    await loop.cancel(*(handle.id for handle in handles))
    for handle in handles:
        await handle.result(timeout=_TIMEOUT_S)
        await loop.delete_session(handle.session_id)


def pid_of(send: Send) -> int:
    """The process that runs the send."""
    assert send.owner
    return int(send.owner.split(":")[1])


def summary(kills: int, ordered: Sequence[float]) -> TakeoversMeasured:
    """The figures of these times."""

    def percentile(share: float) -> float:
        return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 2)

    return TakeoversMeasured(
        kills=kills,
        takeovers=len(ordered),
        p50_s=percentile(0.5),
        p90_s=percentile(0.9),
        p99_s=percentile(0.99),
        max_s=percentile(1.0),
    )


def run(stack: StackInfo, logs: Path, kills: int, sends: int) -> TakeoversMeasured:
    """Measure on these servers."""
    settings = read_settings(
        discover=False,
        database_url=stack.database_url,
        redis_url=stack.redis_url,
        broker_url=stack.redis_url,
        app=Path(__file__).stem,
    )
    lines = FileLines(logs)
    with ProcessGroup(lines) as group:
        return asyncio.run(measure(Fleet(group, lines, settings), settings, kills, sends))


def main() -> None:
    """Start what is not given, measure, and print one JSON line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--sends", type=int, default=16, help="in flight at each kill, on both workers")
    options.add_argument("--database-url", default="", help="of a Postgres; one is started unless given")
    options.add_argument("--redis-url", default="", help="of a Redis; one is started unless given")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="powerloop-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        stack = EmbeddedStack(folder, database_url=given.database_url, redis_url=given.redis_url)
        with stack:
            measured = run(stack.info, Path(folder) / "logs", given.kills, given.sends)
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
