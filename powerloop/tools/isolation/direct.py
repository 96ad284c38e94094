"""The direct launcher: a process of its own, with an environment and limits of its own, and nothing more."""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from math import ceil
from typing import Final

from powerloop.kernel.isolation import Exited, IsolationPolicy, Launch, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation.group import GroupOptions, ProcessGroup

DEFAULT_GRACE: Final = timedelta(seconds=3)


class DirectLauncher:
    """Runs programs with the eyes and the hands of this process: same files, same network, same account.

    So it refuses policies that forbid the network or name paths. A process that leaves its group (``setsid``)
    outlives it, and so does the group of a worker that was killed, but for its leader.

    Args:
        environ: What policies pass variables on from; this process's environment unless given.
        grace: How long a program may take to end after SIGTERM before it is killed.
    """

    def __init__(self, *, environ: Mapping[str, str] | None = None, grace: timedelta = DEFAULT_GRACE) -> None:
        self._environ = os.environ if environ is None else environ
        self._grace = grace

    async def run(self, launch: Launch, *, keep_open: tuple[int, ...] = ()) -> Exited:
        """See `Launcher.run`.

        Args:
            launch: What to run.
            keep_open: Open file descriptors that it inherits.
        """
        await self.check()
        _refuse_what_cannot_be_kept(launch.policy)
        environ = launch.environment(self._environ)
        options = GroupOptions(
            environ=environ,
            rules=tuple(_rules(launch.policy.limits, environ)),
            grace=self._grace,
            keep_open=keep_open,
        )
        return await ProcessGroup(launch, options).run()

    async def check(self) -> None:
        if not hasattr(os, "waitid"):
            raise LaunchFailed(
                f"{sys.platform} cannot wait for a process without forgetting it.",
                hint="Isolation needs Linux, or Python 3.13 on macOS.",
            )


def _refuse_what_cannot_be_kept(policy: IsolationPolicy) -> None:
    if not policy.network:
        raise LaunchFailed(
            "the direct launcher cannot keep a program from the network.",
            hint="Allow it with network=True, or use bubblewrap or a container.",
        )
    if policy.mounts:
        raise LaunchFailed(
            "the direct launcher cannot keep a program to some paths.",
            hint="Leave read_only and writable out, or use bubblewrap or a container.",
        )
    if policy.limits.processes is not None and os.getuid() == 0:
        raise LaunchFailed(
            "the system does not limit how many processes root has.",
            hint="Run as another account, use a container, or leave the limit out.",
        )


def _rules(limits: ProcessLimits, environ: Mapping[str, str]) -> Iterator[str]:
    """What the trampoline is to take upon itself."""
    # A Python that starts in the locale C sets this for itself and for all that come after it.
    if "LC_CTYPE" not in environ:
        yield "-LC_CTYPE"
    # The memory of a program that crashed may hold secrets.
    yield "RLIMIT_CORE=0"
    if limits.cpu is not None:
        seconds = ceil(limits.cpu.total_seconds())
        # SIGXCPU at the first, which says why; SIGKILL at the second, which cannot be ignored.
        yield f"RLIMIT_CPU={seconds}:{seconds + 1}"
    if limits.processes is not None:
        yield f"RLIMIT_NPROC={limits.processes}"
    # The last one: this program needs memory too.
    if limits.memory_bytes is not None:
        yield f"RLIMIT_AS={limits.memory_bytes}"
