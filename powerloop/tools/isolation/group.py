"""One program in a process group of its own, from its start until nothing of the group is left."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from signal import SIGKILL, SIGTERM, SIGXCPU, Signals
from typing import Final

from powerloop.kernel.cancellation import uninterrupted
from powerloop.kernel.isolation import EndedBy, Exited, Launch
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation import trampoline
from powerloop.tools.isolation.pipes import Inlet, Outlet

#: How much of its standard error is kept.
STDERR_TAIL: Final = 64 * 1024

_LONGEST_REASON: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOptions:
    """How a program is run."""

    #: Its whole environment.
    environ: Mapping[str, str]
    #: What the trampoline takes upon itself, in its words.
    rules: tuple[str, ...] = ()
    #: How long it may take to end after SIGTERM before it is killed.
    grace: timedelta
    #: Open file descriptors that it inherits.
    keep_open: tuple[int, ...] = ()


class ProcessGroup:
    """Runs a launch, once.

    Linux ties a child to the *thread* that made it. So each has a thread of its own, which makes it and then
    waits for its end, without taking it from the process table. Until the event loop does that, its pid, and
    the group of that number, can be nobody else's.
    """

    def __init__(self, launch: Launch, options: GroupOptions) -> None:
        self._launch = launch
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._made = asyncio.Event()
        self._ended = asyncio.Event()
        #: Set when there is nothing to wait for any more.
        self._over = asyncio.Event()
        # Written by the thread, before `_made` is set.
        self._process: subprocess.Popen[bytes] | None = None
        self._reason = ""
        self._ended_by: EndedBy | None = None
        self._stdin = Inlet()
        self._stdout = Outlet(first=launch.policy.limits.output_bytes, on_too_much=self._cut_off)
        self._stderr = Outlet(last=STDERR_TAIL)

    async def run(self) -> Exited:
        """Run it to its end; see `Launcher.run`."""
        try:
            threading.Thread(target=self._live, name=f"run {self._launch.argv[0]}", daemon=True).start()
        except RuntimeError as error:
            raise self._failure(str(error)) from error
        try:
            await uninterrupted(self._connect())
            await self._wait()
        except OSError as error:
            raise self._failure(str(error)) from error
        finally:
            await uninterrupted(self._finish())
        return self._exited()

    async def _connect(self) -> None:
        await self._made.wait()
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        await self._stdout.connect(process.stdout)
        await self._stderr.connect(process.stderr)
        await self._stdin.connect(process.stdin, self._launch.stdin)

    async def _wait(self) -> None:
        """Return when it has ended, or is not to go on."""
        if self._process and not await _within(self._launch.policy.limits.wall_clock, self._over):
            self._ended_by = EndedBy.WALL_CLOCK

    async def _finish(self) -> None:
        """End what is left of it, and let go of everything."""
        await self._made.wait()
        if self._process is None:
            return
        try:
            if not self._ended.is_set():
                self._signal(SIGTERM)
                await _within(self._options.grace, self._ended)
        finally:
            self._signal(SIGKILL)
        await self._ended.wait()
        # From here on its number may be somebody else's.
        self._process.wait()
        for pipe in (self._stdout, self._stderr, self._stdin):
            await pipe.close()
        for file in (self._process.stdin, self._process.stdout, self._process.stderr):
            if file is not None:
                file.close()

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _signal(self, number: Signals) -> None:
        # Some systems say so where no more than the dead leader is left of a group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)

    def _cut_off(self) -> None:
        if not self._over.is_set():
            self._ended_by = EndedBy.OUTPUT
            self._over.set()

    def _exited(self) -> Exited:
        if self._process is None or self._reason:
            raise self._failure(self._reason)
        code, ended_by = self._process.returncode, self._ended_by
        if ended_by is None and code < 0:
            ended_by = EndedBy.CPU if code == -SIGXCPU else EndedBy.SIGNAL
        return Exited(code=code, stdout=self._stdout.taken, stderr=self._stderr.taken, ended_by=ended_by)

    def _failure(self, reason: str) -> LaunchFailed:
        return LaunchFailed(f"{self._launch.argv[0]} cannot be run: {reason}.")

    # In the thread:

    def _live(self) -> None:
        try:
            report = self._make()
        except (OSError, ValueError) as error:
            self._reason = str(error)
            return
        finally:
            self._tell(self._made)
        try:
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
            self._reason = os.read(report, _LONGEST_REASON).decode(errors="replace")
        except OSError as error:
            self._reason = f"its end was lost: {error}"
        finally:
            os.close(report)
            self._tell(self._ended, self._over)

    def _make(self) -> int:
        """Make the process; the end of a pipe where the trampoline says why it could not go on."""
        reading, writing = os.pipe()
        try:
            self._process = self._trampoline(writing)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return reading

    def _trampoline(self, report: int) -> "subprocess.Popen[bytes]":
        options = self._options
        words = (str(report), str(os.getpid()), *options.rules, "--", *self._launch.argv)
        return subprocess.Popen(  # noqa: S603 - no shell reads it
            [sys.executable, "-I", "-S", trampoline.__file__, *words],
            bufsize=0,
            env=dict(options.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(report, *options.keep_open),
            start_new_session=True,
        )

    def _tell(self, *events: asyncio.Event) -> None:
        # Where the loop is closed, nobody waits any more.
        with suppress(RuntimeError):
            for event in events:
                self._loop.call_soon_threadsafe(event.set)


async def _within(span: timedelta | None, event: asyncio.Event) -> bool:
    """Whether the event is set within the span."""
    try:
        async with asyncio.timeout(None if span is None else span.total_seconds()):
            return await event.wait()
    except TimeoutError:
        return event.is_set()
