"""What Celery's fan-out costs: a chord of no-op tasks, beside which `powerloop bench fanout` is to be read.

Run it: ``python tests/benchmarks/celery_chord.py --members 1000 --workers 2``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from celery import chord
from celery.result import ResultSet
from celery_noop import URL, app, cpu_seconds, noop

from powerloop.embedded import RedisServer


@app.task(name="counted")
def counted(results: Sequence[int]) -> int:
    """How many members there were: what follows them all."""
    return len(results)


def measure(members: int) -> dict[str, float]:
    """Begin the chord, then wait for what follows it."""
    ResultSet([noop.delay() for _ in range(40)]).get(timeout=60)
    cpu, began = cpu_seconds(), time.perf_counter()
    following = chord([noop.s() for _ in range(members)])(counted.s())
    enqueued = time.perf_counter()
    if (count := following.get(timeout=600)) != members:
        raise RuntimeError(f"the chord came to {count} of {members} members.")
    ended = time.perf_counter()
    return {
        "members": members,
        "enqueued_per_s": round(members / (enqueued - began), 1),
        "members_per_s": round(members / (ended - began), 1),
        "run_s": round(ended - began, 2),
        "cpu_ms_per_member": round((cpu_seconds() - cpu) * 1000 / members, 2),
    }


def worker(number: int, url: str) -> subprocess.Popen[bytes]:
    """A worker process, which says nothing where the figures are printed."""
    command = [sys.executable, "-m", "celery", "-A", "celery_chord", "worker", "-P", "solo", "-l", "ERROR"]
    return subprocess.Popen(
        [*command, "-n", f"chord{number}@%h"],
        env={**os.environ, URL: url},
        cwd=Path(__file__).parent,
        stdout=subprocess.DEVNULL,
    )


def main() -> None:
    """Start a Redis and the workers, measure, and print one JSON line."""
    options = argparse.ArgumentParser()
    options.add_argument("--members", type=int, default=1_000)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        RedisServer(Path(folder) / "redis") as redis,
    ):
        app.conf.update(broker_url=redis.url, result_backend=redis.url)
        workers = [worker(number, redis.url) for number in range(given.workers)]
        try:
            sys.stdout.write(json.dumps(measure(given.members)) + "\n")
        finally:
            for process in workers:
                process.terminate()
            for process in workers:
                process.wait(30)


if __name__ == "__main__":
    main()
