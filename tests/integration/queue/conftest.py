"""A Redis of the test's own, which it may stop and start, a network that fails, and real workers."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import redis

from powerloop.embedded import RedisServer
from powerloop.queue.redis_address import RedisAddress
from powerloop.testing.proxy import FreezingProxy


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A forgetful Redis that this test alone uses, and may stop, kill and start again on the same port."""
    server = RedisServer(tmp_path / "redis", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    """A client of the Redis of the test, to look into it."""
    client = RedisAddress.parse(redis_url).client(connections=1, timeout=2)
    yield client
    await client.aclose()


class Worker:
    """A real Celery worker on `recording_app`, in a process of its own."""

    def __init__(self, broker_url: str, redis_url: str, log: Path) -> None:
        self._log = log
        self._redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self._environ = {**os.environ, "RECORDING_BROKER": broker_url, "RECORDING_REDIS": redis_url}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [sys.executable, "-m", "celery", "-A", "recording_app", "worker", "--pool", "solo"]
        options = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options], cwd=Path(__file__).parent, env=self._environ, stdout=log, stderr=log
            )
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._redis.close()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def notes(self) -> list[dict[str, Any]]:
        """What its tasks wrote down, in the order in which they ran."""
        return [json.loads(note) for note in self._redis.lrange("notes", 0, -1)]

    def ran(self, task_id: str) -> bool:
        """Whether the task ran; fails if the worker has died."""
        assert self.process is None or self.process.poll() is None, (
            f"the worker has died:\n{self.log[-4000:]}"
        )
        return any(note["id"] == task_id for note in self.notes())


@pytest.fixture
def worker_on(redis_url: str, tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Makes workers on any broker; none is started yet."""
    workers: list[Worker] = []

    def make(broker_url: str) -> Worker:
        workers.append(Worker(broker_url, redis_url, tmp_path / f"worker-{len(workers)}.log"))
        return workers[-1]

    yield make
    for worker in workers:
        worker.stop()


@pytest.fixture
def worker(worker_on: Callable[[str], Worker], redis_url: str) -> Worker:
    """A worker on Redis that is not started yet."""
    return worker_on(redis_url)


@pytest.fixture
def rabbitmq_worker(worker_on: Callable[[str], Worker], rabbitmq_url: str) -> Worker:
    """A worker on RabbitMQ that is not started yet."""
    return worker_on(rabbitmq_url)


@pytest.fixture
def proxy(redis_url: str) -> Iterator[tuple[FreezingProxy, str]]:
    """A proxy before the Redis of the test, and the URL that leads through it."""
    port = urlsplit(redis_url).port
    assert port is not None
    with FreezingProxy(port) as proxy:
        yield proxy, redis_url.replace(f":{port}/", f":{proxy.port}/")
