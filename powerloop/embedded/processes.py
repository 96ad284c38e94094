"""Named child processes that are watched, restarted and stopped together."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from types import TracebackType
from typing import IO, Final, Self

from powerloop.embedded.child import Child, Command
from powerloop.embedded.lines import Lines, TerminalLines

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
#: A process that ran this long was well: the next pause is the first one again.
_WELL_AFTER_S: Final = 60.0
#: How long a grandchild that keeps the pipe open may delay the news of an end.
_LAST_LINES_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """A process for a group to run."""

    #: What it is called, in the output and in the group; once per group.
    name: str
    #: The program, by absolute path, and its arguments.
    argv: Sequence[str]
    #: Where it runs; `None`: where we do.
    cwd: Path | None = None
    #: Its whole environment; `None`: ours.
    env: Mapping[str, str] | None = None
    #: Whether it is started again, after a growing pause, when it ends with an error.
    restart: bool = False
    #: How long it may take to end after SIGTERM before it is killed.
    stop_within: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a supervised process that is not started again."""

    name: str
    #: What it ended with, negative for a signal, 127 if it could not be run.
    exit_code: int


class ProcessGroup:
    """Supervised processes with one output. Usable as a context manager.

    The terminal's Ctrl-C reaches this process alone, which stops the others in its own order. They do not
    outlive it: on Linux, they are killed when it is.
    """

    def __init__(self, lines: Lines | None = None) -> None:
        """
        Args:
            lines: Where their output goes; by default the terminal.
        """
        self._lines = lines or TerminalLines()
        self._keepers: dict[str, _Keeper] = {}
        self._ends: queue.SimpleQueue[Ended] = queue.SimpleQueue()

    def start(self, process: Supervised) -> None:
        """Run it, and go on at once.

        Raises:
            OSError: the machine cannot make a process.
        """
        assert process.name not in self._keepers, f"{process.name} is in the group already"
        keeper = _Keeper(process, self._lines, self._ends)
        keeper.start()
        self._keepers[process.name] = keeper

    def wait(self, timeout: timedelta | None = None) -> Ended | None:
        """The next process that ended for good, without being asked to; `None` when `timeout` has passed."""
        try:
            return self._ends.get(timeout=None if timeout is None else timeout.total_seconds())
        except queue.Empty:
            return None

    def pids(self) -> dict[str, int]:
        """The process ids of those that run, by name."""
        return {name: keeper.child.pid for name, keeper in self._keepers.items() if keeper.running}

    def signal(self, name: str, number: Signals) -> None:
        """Send a signal to one process, if it runs."""
        self._keepers[name].child.signal(number)

    def stop(self) -> None:
        """Ask all to end, the last started first, wait for them, and kill those that take too long."""
        keepers = list(reversed(self._keepers.values()))
        for keeper in keepers:
            keeper.ask_to_end()
        began = time.monotonic()
        try:
            for keeper in keepers:
                keeper.see_off(began)
        finally:
            # Ctrl-C again, while they are waited for: no more patience.
            for keeper in keepers:
                keeper.child.stop((SIGKILL, timedelta(seconds=5)))
            self._keepers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Keeper:
    """One supervised process, through all its restarts."""

    child: Child

    def __init__(self, process: Supervised, lines: Lines, ends: queue.SimpleQueue[Ended]) -> None:
        self._process = process
        self._lines = lines
        self._ends = ends
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper {process.name}", daemon=True)

    @property
    def running(self) -> bool:
        return self.child.exit_code is None

    def start(self) -> None:
        self._launch()
        self._thread.start()

    def ask_to_end(self) -> None:
        self._stopping.set()
        self.child.signal(SIGTERM)

    def see_off(self, began: float) -> None:
        """Wait until it has ended and its last line is out; kill it when its time, from `began` on, is up."""
        left = self._process.stop_within.total_seconds() - (time.monotonic() - began)
        self._thread.join(max(left, 0.0))
        if self.running:
            self._say("did not end in time and is killed")
            self.child.stop((SIGKILL, timedelta(seconds=5)))
        self._thread.join(_LAST_LINES_WITHIN_S + 1)

    def _launch(self) -> None:
        child = Child(
            Command(
                argv=self._process.argv,
                cwd=self._process.cwd,
                # Else Python keeps lines back until it has a block of them.
                env={**(self._process.env or os.environ), "PYTHONUNBUFFERED": "1"},
                death_signal=SIGKILL,
            ),
            output=subprocess.PIPE,
        )
        child.start()
        self.child = child
        if self._stopping.is_set():
            child.signal(SIGTERM)

    def _keep(self) -> None:
        pauses = _pauses()
        while True:
            began = time.monotonic()
            self._follow()
            code = self.child.exit_code or 0
            if self._stopping.is_set() or not self._process.restart or code == 0:
                break
            if time.monotonic() - began > _WELL_AFTER_S:
                pauses = _pauses()
            pause = next(pauses)
            self._say(f"ended with {code}; started again in {pause:g} s")
            if self._stopping.wait(pause):
                break
            self._launch()
        if not self._stopping.is_set():
            self._ends.put(Ended(name=self._process.name, exit_code=code))

    def _follow(self) -> None:
        """Pass its lines on until it has ended."""
        reader = threading.Thread(target=self._pass_on, args=(self.child.output,), daemon=True)
        reader.start()
        self.child.wait()
        reader.join(_LAST_LINES_WITHIN_S)

    def _pass_on(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._lines.write(self._process.name, line.decode(errors="replace").rstrip("\r\n"))

    def _say(self, what: str) -> None:
        self._lines.write(self._process.name, what)


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE_S)
