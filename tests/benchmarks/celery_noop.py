"""What Celery itself costs: no-op tasks with results, beside which `powerloop bench sends` is to be read.

Run it: ``python tests/benchmarks/celery_noop.py --tasks 2000 --workers 2``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from celery import Celery
from celery.result import ResultSet

from powerloop.embedded import RedisServer

URL = "CELERY_NOOP_REDIS"

app = Celery("celery_noop", broker=os.environ.get(URL), backend=os.environ.get(URL))
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop() -> int:
    """Do nothing."""
    return 1


def cpu_seconds() -> float:
    """Processor time of this process and all below it."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


def measure(tasks: int) -> dict[str, float]:
    """Enqueue the tasks, then wait for every result."""
    ResultSet([noop.delay() for _ in range(40)]).get(timeout=60)
    cpu, began = cpu_seconds(), time.perf_counter()
    results = ResultSet([noop.delay() for _ in range(tasks)])
    enqueued = time.perf_counter()
    results.get(timeout=300)
    ended = time.perf_counter()
    return {
        "tasks": tasks,
        "enqueued_per_s": round(tasks / (enqueued - began), 1),
        "completed_per_s": round(tasks / (ended - began), 1),
        "cpu_ms_per_task": round((cpu_seconds() - cpu) * 1000 / tasks, 2),
    }


def main() -> None:
    """Start a Redis and the workers, measure, and print one JSON line."""
    options = argparse.ArgumentParser()
    options.add_argument("--tasks", type=int, default=2000)
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        RedisServer(Path(folder) / "redis") as redis,
    ):
        app.conf.update(broker_url=redis.url, result_backend=redis.url)
        command = [sys.executable, "-m", "celery", "-A", "celery_noop", "worker", "-P", "solo", "-l", "ERROR"]
        environment = {**os.environ, URL: redis.url}
        workers = [
            subprocess.Popen([*command, "-n", f"noop{n}@%h"], env=environment, cwd=Path(__file__).parent)
            for n in range(given.workers)
        ]
        try:
            sys.stdout.write(json.dumps(measure(given.tasks)) + "\n")
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(30)


if __name__ == "__main__":
    main()
