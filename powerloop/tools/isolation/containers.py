"""The container launcher: Docker, and gVisor as a runtime of it."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Final
from uuid import uuid4

from powerloop.kernel.cancellation import uninterrupted
from powerloop.kernel.isolation import Exited, IsolationPolicy, Launch, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation.direct import DEFAULT_GRACE, DirectLauncher
from powerloop.tools.isolation.signalled import signalled

logger = logging.getLogger(__name__)

#: What the docker command itself may need. A container is given them only if its policy names them.
CLIENT_VARIABLES: Final = (
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "PATH",
    "SSH_AUTH_SOCK",
    "XDG_RUNTIME_DIR",
)

#: The docker command failed, the program cannot be run, there is no such program.
_NOT_BEGUN: Final = frozenset({125, 126, 127})
#: How long the engine may take to do what it is told beside running programs.
_ENGINE_WITHIN: Final = timedelta(seconds=30)


def docker_argv(
    launch: Launch,
    image: str,
    runtime: str | None = None,
    *,
    name: str | None = None,
    user: str | None = None,
) -> tuple[str, ...]:
    """The arguments of ``docker`` that run the launch. The values of variables are in none of them: they are
    taken from the environment of the command.

    Args:
        launch: What to run.
        image: What it runs in. It is not fetched.
        runtime: ``runsc`` for gVisor; the engine's own unless given.
        name: What the container is called.
        user: ``uid:gid`` in the container; what the image says unless given.
    """
    policy = launch.policy
    return (
        "run",
        *("--rm", "--interactive", "--init", "--pull", "never", "--log-driver", "none"),
        *(("--runtime", runtime) if runtime else ()),
        *(("--name", name) if name else ()),
        *(("--user", user) if user else ()),
        *("--network", "bridge" if policy.network else "none"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--read-only", "--tmpfs", "/tmp"),  # noqa: S108 - the container's own
        *_limits(policy.limits),
        *_mounts(policy),
        *_variables(launch),
        *("--entrypoint", launch.argv[0]),
        "--",
        image,
        *launch.argv[1:],
    )


class ContainerLauncher:
    """Runs programs in containers that see their image, what the policy shows them, and an empty ``/tmp``.

    Args:
        image: What they run in. It must be there: it is never fetched in the time of a launch.
        runtime: ``runsc`` for gVisor; the engine's own unless given.
        user: ``uid:gid`` in the container; what the image says unless given.
        program: The ``docker`` command.
        environ: What policies pass variables on from; this process's environment unless given.
        grace: How long a program may take to end after SIGTERM before its container is removed.
    """

    def __init__(
        self,
        image: str,
        *,
        runtime: str | None = None,
        user: str | None = None,
        program: str = "docker",
        environ: Mapping[str, str] | None = None,
        grace: timedelta = DEFAULT_GRACE,
    ) -> None:
        self._image = image
        self._runtime = runtime
        self._user = user
        self._program = program
        self._environ = os.environ if environ is None else environ
        self._direct = DirectLauncher(environ=environ, grace=grace)

    async def run(self, launch: Launch) -> Exited:
        name = f"powerloop-{uuid4().hex}"
        argv = docker_argv(launch, self._image, self._runtime, name=name, user=self._user)
        client = replace(
            launch, argv=(self._found(), *argv), policy=_of_client(launch.policy), env=self._env_of(launch)
        )
        ended_by_itself = False
        try:
            exited = await self._direct.run(client)
            ended_by_itself = exited.ended_by is None
        finally:
            if not ended_by_itself:
                # The death of the command is not that of the container.
                await uninterrupted(self._remove(name))
        if ended_by_itself and exited.code in _NOT_BEGUN:
            raise LaunchFailed(f"{launch.argv[0]} cannot be run in {self._image}: {exited.complaint}")
        return signalled(exited)

    async def check(self) -> None:
        await self._direct.check()
        await self._ask("version", hint="Is the engine running?")
        await self._ask("image", "inspect", "--", self._image, hint=f"Run: docker pull {self._image}")
        if self._runtime:
            runtimes = await self._ask(
                "info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}"
            )
            if self._runtime not in runtimes.split():
                raise LaunchFailed(f"the engine has no runtime {self._runtime!r}; it has {runtimes.strip()}.")

    def _env_of(self, launch: Launch) -> dict[str, str]:
        """What the command finds: all that the container is to have, and what the command itself needs."""
        own = {name: self._environ[name] for name in CLIENT_VARIABLES if name in self._environ}
        wanted = launch.environment(self._environ)
        if clash := sorted(name for name in own if name in wanted and wanted[name] != own[name]):
            raise LaunchFailed(
                f"the docker command needs {clash[0]} as it is, and the container is to have another.",
                hint="Set it in the image.",
            )
        return own | wanted

    async def _remove(self, name: str) -> None:
        # One that is gone already is as good.
        try:
            exited = await self._direct.run(self._command("rm", "--force", "--volumes", name))
        except LaunchFailed as error:
            logger.error("container not removed", extra={"container": name, "error": str(error)})
            return
        if exited.code != 0:
            logger.error("container not removed", extra={"container": name, "error": exited.complaint})

    async def _ask(self, *words: str, hint: str | None = None) -> str:
        exited = await self._direct.run(self._command(*words))
        if exited.code != 0:
            raise LaunchFailed(f"docker {words[0]} fails: {exited.complaint}", hint=hint)
        return exited.stdout.decode(errors="replace")

    def _command(self, *words: str) -> Launch:
        limits = ProcessLimits(wall_clock=_ENGINE_WITHIN)
        policy = IsolationPolicy(limits=limits, network=True, environment=CLIENT_VARIABLES)
        return Launch(argv=(self._found(), *words), policy=policy)

    def _found(self) -> str:
        found = shutil.which(self._program)
        if found is None:
            raise LaunchFailed(f"{self._program} is not installed.", hint="Install Docker.")
        return found


def _of_client(policy: IsolationPolicy) -> IsolationPolicy:
    """What is left for the docker command to keep. The limits of the program are not its own."""
    limits = ProcessLimits(wall_clock=policy.limits.wall_clock, output_bytes=policy.limits.output_bytes)
    return IsolationPolicy(limits=limits, network=True)


def _limits(limits: ProcessLimits) -> Iterator[str]:
    yield from ("--ulimit", "core=0")
    if limits.cpu is not None:
        seconds = ceil(limits.cpu.total_seconds())
        yield from ("--ulimit", f"cpu={seconds}:{seconds + 1}")
    if limits.memory_bytes is not None:
        # Both the same: nothing is swapped.
        yield from ("--memory", f"{limits.memory_bytes}b", "--memory-swap", f"{limits.memory_bytes}b")
    if limits.processes is not None:
        yield from ("--pids-limit", str(limits.processes))


def _mounts(policy: IsolationPolicy) -> Iterator[str]:
    for path, writable in policy.mounts:
        fields = ("type=bind", f"src={path}", f"dst={path}", *(() if writable else ("readonly",)))
        yield from ("--mount", ",".join(map(_quoted, fields)))


def _quoted(field: str) -> str:
    """The field of a row of comma-separated values, which is what docker reads."""
    return '"' + field.replace('"', '""') + '"' if any(sign in field for sign in ',"\n') else field


def _variables(launch: Launch) -> Iterator[str]:
    for name in sorted({*launch.policy.environment, *launch.env}):
        yield from ("--env", name)
