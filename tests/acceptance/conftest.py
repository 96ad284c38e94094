"""The whole system in real processes, started and stopped by handle."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from powerloop import AsyncPowerLoop
from powerloop.kernel.fsck import Report
from powerloop.queue.fsck import check_redis
from powerloop.settings import Settings, read_settings
from powerloop.store.fsck import check_store

#: The agents of the acceptance tests: a module that only workers import.
AGENTS = '''
import asyncio, os
from powerloop import Agent, ToolContext, tool

@tool(effect="read")
async def whoami(context: ToolContext) -> str:
    """Say which process runs this."""
    return str(os.getpid())

echo = Agent(name="echo", model="scripted:echo")
demo = Agent(name="demo", model="scripted:demo")
wired = Agent(name="wired", model="openai:gpt-test", tools=[whoami])
'''


class Process:
    """One real process of the system, and what it prints."""

    def __init__(
        self, name: str, folder: Path, env: dict[str, str], command: Sequence[str], *, supervises: bool
    ) -> None:
        self._supervises = supervises
        self.log = folder / f"{name}.log"
        self._file = self.log.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=self._file,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=folder,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def rss_mb(self) -> float:
        return psutil.Process(self.pid).memory_info().rss / 1e6

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(10)

    def wait_for(self, text: str, within: float = 30.0) -> None:
        """Return once it has printed the text."""
        deadline = time.monotonic() + within
        while text not in self.output():
            if not self.is_alive or time.monotonic() > deadline:
                pytest.fail(f"{self.log.stem} did not print {text!r}:\n{self.output()[-4000:]}")
            time.sleep(0.02)

    def end(self) -> None:
        """Have it end: a supervisor in good order, since its workers are not of its group; others at once."""
        if self.is_alive:
            os.killpg(self.pid, signal.SIGTERM if self._supervises else signal.SIGKILL)

    def see_off(self) -> None:
        """Wait for its end, by SIGKILL if it takes too long."""
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self._file.close()


class System:
    """Postgres and Redis, and the processes that a test starts on them."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.processes: list[Process] = []
        self.add_app("acceptance_agents", AGENTS)

    def add_app(self, name: str, source: str) -> None:
        """Write a module that processes can import."""
        (self.folder / f"{name}.py").write_text(source)

    def environment(self, **more: str) -> dict[str, str]:
        """What a process of this system is told."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("POWERLOOP_")}
        return {
            **clean,
            "POWERLOOP_DATABASE_URL": self.settings.database_url,
            "POWERLOOP_REDIS_URL": self.settings.redis_url,
            "POWERLOOP_APP": "acceptance_agents",
            "CELERY_CUSTOM_WORKER_POOL": "powerloop.workers.pool:TaskPool",
            **more,
        }

    def start_worker(
        self,
        *,
        pool: str = "custom",
        concurrency: int = 100,
        queues: str = "",
        ready: bool = True,
        **more: str,
    ) -> Process:
        """Start a worker, and return when it is ready to take sends, or at once."""
        number = len(self.processes) + 1
        worker = self._start(
            f"worker{number}",
            [
                *("celery", "-A", "powerloop.workers", "worker", "-n", f"w{number}@%h"),
                *("--pool", pool, "-c", str(concurrency), "-l", "INFO"),
                *("--without-gossip", "--without-mingle"),
                *(("--queues", queues) if queues else ()),
            ],
            more,
        )
        if ready:
            worker.wait_for(" ready.")
        return worker

    def start_supervisor(self, processes: int, **more: str) -> Process:
        """Start a process that keeps so many workers running."""
        command = ["powerloop", "worker", "--processes", str(processes)]
        return self._start(f"supervisor{len(self.processes) + 1}", command, more, supervises=True)

    def start_beat(self, *, celery_app: str = "", **more: str) -> Process:
        """Start a process that fires timers and sweeps; `celery_app`: a module that it imports."""
        own = ["--celery-app", celery_app] if celery_app else []
        return self._start(f"beat{len(self.processes) + 1}", ["powerloop", "beat", *own], more)

    def _start(
        self, name: str, command: Sequence[str], more: Mapping[str, str], *, supervises: bool = False
    ) -> Process:
        environment = self.environment(**more)
        process = Process(name, self.folder, environment, command, supervises=supervises)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.end()
        for process in self.processes:
            process.see_off()


def check_promises(settings: Settings) -> None:
    """Fail if the database or Redis does not keep what is promised."""

    async def reported() -> list[Report]:
        stored = await check_store(settings.database_url)
        return [*stored, *await check_redis(settings.redis_url, lock_ttl=settings.lock_ttl)]

    # In a thread: the test may have a loop that is not closed yet.
    with ThreadPoolExecutor(1) as thread:
        reports = thread.submit(asyncio.run, reported()).result()
    broken = [report for report in reports if report.status not in ("ok", "not_applicable")]
    assert reports
    assert not broken, broken


@pytest.fixture
def system(migrated_postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[System]:
    """A system without workers; what the test starts is stopped at its end, and what it wrote is checked."""
    settings = read_settings(
        discover=False, database_url=migrated_postgres_url, redis_url=redis_url, broker_url=redis_url
    )
    system = System(settings, tmp_path)
    yield system
    system.stop()
    check_promises(settings)


@pytest.fixture
async def loop(system: System) -> AsyncIterator[AsyncPowerLoop]:
    """A client in this process, which knows no agents."""
    async with AsyncPowerLoop.from_env(system.settings) as loop:
        yield loop


@pytest.fixture
def run_script(system: System) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python source in a process of its own, told where the system is."""

    def run(source: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", source],
            env=system.environment(POWERLOOP_APP="", **more),
            cwd=system.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
