"""What the tests of the embedded room share: a folder that root's Postgres can reach, and victims."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from powerloop.embedded import PostgresServer


@pytest.fixture
def folder(open_folder: Callable[[], Path]) -> Iterator[Path]:
    """An empty folder that every account may pass through."""
    path = open_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def made_postgres(server_folder: Path) -> Path:
    """A Postgres folder with data in it, which takes a second to make and a moment to copy."""
    with PostgresServer(server_folder / "made"):
        pass
    return server_folder / "made"


@pytest.fixture
def place_postgres(made_postgres: Path) -> Callable[[Path], None]:
    """``place_postgres(folder)`` makes `folder` one that Postgres has been started in before."""

    def place(folder: Path) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Not shutil: owners are to stay who they are.
        subprocess.run(["cp", "-a", str(made_postgres), str(folder)], check=True)
        (folder / "port").unlink()

    return place


class Victim:
    """Another Python process that says in JSON what it has started, and then waits to be killed."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: dict[str, Any] = json.loads(self._stdout.readline() or "{}")
        assert self.said, f"it ended with {self.process.wait(timeout=30)}"

    def send(self, number: signal.Signals) -> int:
        """Send it a signal, and return what it ended with."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)
        self._stdout.close()
        assert self.process.stdin
        self.process.stdin.close()

    @property
    def _stdout(self) -> Any:
        assert self.process.stdout
        return self.process.stdout


@pytest.fixture
def victim() -> Iterator[Callable[..., Victim]]:
    """Starts processes to kill: ``victim(script, *arguments)``. The script prints one line of JSON."""
    started: list[Victim] = []

    def start(script: str, *arguments: str) -> Victim:
        started.append(Victim(script, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Whether a process has ended. One that nobody has reaped has."""

    def check(pid: int) -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    return check
