"""Beats in processes of their own, a producer beside them, and a look into the queue."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from powerloop import AsyncPowerLoop
from powerloop.kernel.queues import SEND_QUEUE
from powerloop.queue.routing import redis_lists
from powerloop.settings import read_settings


class Beat:
    """``python -m powerloop.beat``, and what it logs."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POWERLOOP_")}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "powerloop.beat"],
                env={**clean, **environment},
                stdout=file,
                stderr=file,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 5.0) -> int:
        """What it exits with when it is sent the signal."""
        self.process.send_signal(number)
        return self.process.wait(within)


@pytest.fixture
def start_beat(tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], Beat]]:
    """Starts a beat with this environment; killed at the end, unless it has ended before."""
    beats: list[Beat] = []

    def start(environment: Mapping[str, str]) -> Beat:
        beats.append(Beat(environment, tmp_path / f"beat{len(beats)}.log"))
        return beats[-1]

    yield start
    for beat in beats:
        beat.process.kill()
        beat.process.wait()


@pytest.fixture
def system(migrated_postgres_url: str, redis_url: str) -> dict[str, str]:
    """The environment of a system that is well."""
    return {"POWERLOOP_DATABASE_URL": migrated_postgres_url, "POWERLOOP_REDIS_URL": redis_url}


@pytest.fixture
async def loop(migrated_postgres_url: str, redis_url: str) -> AsyncIterator[AsyncPowerLoop]:
    """A producer of that system."""
    settings = read_settings(discover=False, database_url=migrated_postgres_url, redis_url=redis_url)
    async with AsyncPowerLoop.from_env(settings) as loop:
        yield loop


@pytest.fixture
def queue(redis_url: str) -> Iterator[Any]:
    """The Redis that is the broker."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def queued(queue: Any) -> Callable[[], Counter[str]]:
    """How many messages lie in the queue for each send."""

    def count() -> Counter[str]:
        messages = [message for name in redis_lists(SEND_QUEUE) for message in queue.lrange(name, 0, -1)]
        return Counter(json.loads(message)["headers"]["id"] for message in messages)

    return count
