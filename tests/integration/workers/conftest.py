"""Real workers over a real Redis: a workshop starts them, sends them tasks, and reads what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery

from powerloop.embedded import RedisServer

HERE = Path(__file__).parent
POOL = "powerloop.workers.pool:TaskPool"
END_STATES = {"SUCCESS", "FAILURE", "REVOKED"}


class Worker:
    """One ``celery worker`` process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def quit(self) -> None:
        self.process.send_signal(signal.SIGQUIT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def exit_code(self, within: float = 20.0) -> int:
        """The exit code, once the process has ended by itself."""
        return self.process.wait(timeout=within)


class Workshop:
    """Workers of ``probe_app`` on one broker, and the client that sends them tasks."""

    def __init__(self, url: str, folder: Path) -> None:
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        # No result backend: it would keep a subscription per task.
        self.app = Celery("client", broker=url, set_as_current=False)
        self.url = url
        self._folder = folder
        self._workers: list[Worker] = []

    def start(
        self, pool: str = "custom", concurrency: int = 10, environ: dict[str, str] | None = None, **conf: Any
    ) -> Worker:
        """Start a worker, and return when it is ready. `conf` goes into its app's configuration."""
        worker = self.launch(pool, concurrency, environ, **conf)
        self.eventually(lambda: " ready." in worker.log, "the worker is ready", within=30)
        return worker

    def launch(
        self, pool: str = "custom", concurrency: int = 10, environ: dict[str, str] | None = None, **conf: Any
    ) -> Worker:
        """Start a worker."""
        log = self._folder / f"worker-{len(self._workers)}.log"
        options = f"--pool {pool} --concurrency {concurrency} --hostname {uuid4().hex}@localhost"
        quiet = "--loglevel INFO --without-gossip --without-mingle"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *f"-m celery -A probe_app worker {options} {quiet}".split()],
                env={
                    **os.environ,
                    "PYTHONPATH": str(HERE),
                    "CELERY_CUSTOM_WORKER_POOL": POOL,
                    "PROBE_BROKER": self.url,
                    "PROBE_CONF": json.dumps(conf),
                    **(environ or {}),
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        worker = Worker(process, log)
        self._workers.append(worker)
        return worker

    def send(self, task: str, *args: Any, **options: Any) -> str:
        """Send a task of ``probe_app``; its id."""
        return self.app.send_task(f"probe_app.{task}", args, **options).id

    def signature(self, task: str, *args: Any, **options: Any) -> Any:
        return self.app.signature(f"probe_app.{task}", args=args, **options)

    def outcome(self, task_id: str, within: float = 15.0) -> dict[str, Any]:
        """``status`` and ``result`` of a task, once it has ended."""
        self.eventually(lambda: self._meta(task_id)["status"] in END_STATES, f"{task_id} ends", within=within)
        return self._meta(task_id)

    def result(self, task_id: str) -> Any:
        """What a task returned; it must have succeeded."""
        outcome = self.outcome(task_id)
        assert outcome["status"] == "SUCCESS", outcome
        return outcome["result"]

    def notes(self) -> list[str]:
        """What tasks and lifecycles noted, without the process ids."""
        return [note.split(" ", 1)[1] for note in self.redis.lrange("notes", 0, -1)]

    def noted(self, note: str, within: float = 15.0) -> None:
        """Wait for a note."""
        self.eventually(lambda: note in self.notes(), f"{note!r} is noted", within=within)

    def noting_processes(self, note: str) -> set[int]:
        """The processes that noted it."""
        pairs = (line.split(" ", 1) for line in self.redis.lrange("notes", 0, -1))
        return {int(pid) for pid, what in pairs if what == note}

    def queued(self) -> int:
        """How many messages lie in the queue."""
        return self.redis.llen("celery")

    def unacknowledged(self) -> int:
        """How many messages workers have and have not acknowledged."""
        return self.redis.hlen("unacked")

    def all_acknowledged(self, within: float = 15.0) -> None:
        """Wait until no message is left."""
        self.eventually(
            lambda: not self.queued() and not self.unacknowledged(), "all is acknowledged", within=within
        )

    def eventually(self, condition: Callable[[], Any], description: str, within: float = 15.0) -> None:
        """Poll until the condition holds, or fail in words. The fixture of this name ends with each test."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within:g} s: {description}\n{self._logs()}"
            time.sleep(0.02)

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        self.app.close()
        self.redis.close()

    def _logs(self) -> str:
        return "\n".join(worker.log[-4000:] for worker in self._workers)

    def _meta(self, task_id: str) -> dict[str, Any]:
        stored = self.redis.get(f"celery-task-meta-{task_id}")
        return json.loads(stored) if stored else {"status": "PENDING"}


@pytest.fixture
def workshop(redis_url: str, tmp_path: Path) -> Iterator[Workshop]:
    """A workshop of this test alone."""
    with closing(Workshop(redis_url, tmp_path)) as workshop:
        yield workshop


@pytest.fixture(scope="module")
def shared_workshop(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """A workshop with one worker of ten, for all tests of a module."""
    with closing(Workshop(redis_server.url, tmp_path_factory.mktemp("shared"))) as workshop:
        workshop.redis.flushall()
        workshop.start()
        yield workshop


@pytest.fixture
def durable_redis(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis that keeps what it has through a crash, for this test to crash."""
    with RedisServer(server_folder / f"redis-{uuid4().hex}", durable=True) as server:
        yield server


@pytest.fixture
def durable_workshop(durable_redis: RedisServer, tmp_path: Path) -> Iterator[Workshop]:
    """A workshop on `durable_redis`."""
    with closing(Workshop(durable_redis.url, tmp_path)) as workshop:
        yield workshop
