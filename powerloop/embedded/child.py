"""One child process that does not outlive this process, and is stopped by its handle."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import IO

from powerloop.embedded import tether
from powerloop.embedded.accounts import Account

#: How long a child that was sent SIGKILL may take to vanish from the process table.
_REAPED_WITHIN = timedelta(seconds=10)
#: How often to look for its end where the system cannot wait for it (macOS before Python 3.13).
_REAP_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a child runs."""

    #: The program, by absolute path, and its arguments.
    argv: Sequence[str]
    #: Where it runs; `None`: where we do.
    cwd: Path | None = None
    #: Its whole environment; `None`: ours.
    env: Mapping[str, str] | None = None
    #: Who it runs as; `None`: who we are.
    account: Account | None = None
    #: What it is sent when this process dies without stopping it. Linux only.
    death_signal: Signals = SIGTERM
    #: Open file descriptors that it inherits.
    keep_open: tuple[int, ...] = ()


class Child:
    """A running command, in a session of its own so that the terminal's Ctrl-C reaches us alone.

    Linux ties a child to the *thread* that made it. So each child has a thread of its own, which makes it and
    then waits for its end. What the child leaves running in its process group ends with it.
    """

    def __init__(self, command: Command, *, output: int) -> None:
        """
        Args:
            command: What to run.
            output: Where its output goes: a file descriptor, or `subprocess.PIPE`.
        """
        self._command = command
        self._output = output
        self._made = threading.Event()
        self._ended = threading.Event()
        # Held while the process is taken from the table, so that no signal goes to the next owner of its pid.
        self._reaping = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None

    def start(self) -> None:
        """Make the process.

        Raises:
            OSError: the machine cannot make a process. A command that cannot be run ends with 127 instead.
        """
        threading.Thread(target=self._live, name=f"child {self._command.argv[0]}", daemon=True).start()
        self._made.wait()
        if self._failure:
            raise self._failure

    @property
    def pid(self) -> int:
        """The process id of the command itself."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """What it ended with, negative for a signal; `None` while it runs."""
        return self._popen.returncode if self._ended.is_set() else None

    @property
    def output(self) -> IO[bytes]:
        """What it writes, if `output` was `subprocess.PIPE`."""
        assert self._popen.stdout is not None
        return self._popen.stdout

    def signal(self, number: Signals) -> None:
        """Send it a signal, if it still runs."""
        with self._reaping:
            if not self._ended.is_set():
                os.kill(self.pid, number)

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Whether it has ended, within `timeout`; without one, when it has."""
        return self._ended.wait(None if timeout is None else timeout.total_seconds())

    def stop(self, *steps: tuple[Signals, timedelta]) -> None:
        """Send each signal in turn, with the time it is given to take effect, and SIGKILL after the last."""
        for number, patience in steps:
            self.signal(number)
            if self.wait(patience):
                return
        self.signal(SIGKILL)
        self.wait(_REAPED_WITHIN)

    @property
    def _popen(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start() comes first"
        return self._process

    def _live(self) -> None:
        try:
            self._process = self._make()
        except OSError as error:
            self._failure = error
            return
        finally:
            self._made.set()
        self._await_end(self._process)

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        while not self._reap(process):
            time.sleep(_REAP_EVERY_S)

    def _reap(self, process: subprocess.Popen[bytes]) -> bool:
        with self._reaping:
            if hasattr(os, "waitid"):
                # It is dead and still holds its pid: the group of that number can only be its own.
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, SIGKILL)
            if process.poll() is not None:
                self._ended.set()
            return self._ended.is_set()

    def _make(self) -> subprocess.Popen[bytes]:
        command, account = self._command, self._command.account
        tie = (os.getpid(), int(command.death_signal), *((account.uid, account.gid) if account else (-1, -1)))
        return subprocess.Popen(  # noqa: S603 - the command is ours, and no shell reads it
            [sys.executable, "-I", "-S", tether.__file__, *map(str, tie), *command.argv],
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT if self._output == subprocess.PIPE else self._output,
            pass_fds=command.keep_open,
            start_new_session=True,
        )
