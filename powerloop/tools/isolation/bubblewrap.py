"""The bubblewrap launcher: namespaces without a daemon. Linux only."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from powerloop.kernel.isolation import Exited, IsolationPolicy, Launch
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation.direct import DEFAULT_GRACE, DirectLauncher
from powerloop.tools.isolation.signalled import signalled

#: What most programs need of a system; what is not there is left out.
SYSTEM_PATHS: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssl",
)

_LONGEST_STATUS: Final = 4096


class BubblewrapLauncher:
    """Runs programs that see the system's own files, what the policy shows them, an empty ``/tmp``, and no
    process but their own; they have no capabilities, and no network unless the policy allows it.

    They are killed without a grace: the death of bubblewrap, which SIGTERM ends, is theirs.

    Args:
        program: The ``bwrap`` command.
        system: Paths that every program may read, where they are there.
        environ: What policies pass variables on from; this process's environment unless given.
        grace: How long bubblewrap itself may take to end after SIGTERM.
    """

    def __init__(
        self,
        *,
        program: str = "bwrap",
        system: Sequence[str] = SYSTEM_PATHS,
        environ: Mapping[str, str] | None = None,
        grace: timedelta = DEFAULT_GRACE,
    ) -> None:
        self._program = program
        self._system = tuple(system)
        self._direct = DirectLauncher(environ=environ, grace=grace)

    async def run(self, launch: Launch) -> Exited:
        program = self._found()
        reading, writing = os.pipe()
        try:
            argv = (program, "--json-status-fd", str(writing), *bwrap_options(launch.policy, self._system))
            wrapped = replace(launch, argv=(*argv, "--", *launch.argv), policy=_without_walls(launch.policy))
            exited = await self._direct.run(wrapped, keep_open=(writing,))
            if exited.ended_by is None and not _was_begun(reading):
                raise LaunchFailed(f"{launch.argv[0]} cannot be run: {exited.complaint}")
            return signalled(exited)
        finally:
            os.close(reading)
            os.close(writing)

    async def check(self) -> None:
        await self._direct.check()
        exited = await self.run(Launch(argv=("true",)))
        if exited.code != 0:
            raise LaunchFailed(f"bubblewrap does not work here: {exited.complaint}")

    def _found(self) -> str:
        found = shutil.which(self._program)
        if found is None:
            raise LaunchFailed(
                f"{self._program} is not installed.", hint="Install the package bubblewrap (Linux only)."
            )
        return found


def bwrap_options(policy: IsolationPolicy, system: Sequence[str]) -> tuple[str, ...]:
    """What bubblewrap is told of the policy. The environment is its own, so that no argument has secrets."""
    options = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if policy.network:
        options.append("--share-net")
    for path in system:
        options += ["--ro-bind-try", path, path]
    options += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - the program's own
    for path, writable in policy.mounts:
        options += ["--bind" if writable else "--ro-bind", path, path]
    return tuple(options)


def python_paths() -> tuple[str, ...]:
    """What this interpreter and its packages need, for `IsolationPolicy.read_only`."""
    powerloop = str(Path(__file__).resolve().parents[2])
    paths = {sys.prefix, sys.base_prefix, powerloop}
    return tuple(sorted(os.path.normpath(path) for path in paths))


def _without_walls(policy: IsolationPolicy) -> IsolationPolicy:
    """What is left for the process group to keep."""
    return replace(policy, network=True, read_only=(), writable=())


def _was_begun(status: int) -> bool:
    """Whether bubblewrap got as far as the program, whose exit code it has told then."""
    os.set_blocking(status, False)
    try:
        return b'"exit-code"' in os.read(status, _LONGEST_STATUS)
    except BlockingIOError:
        return False
