"""`ContainerLauncher` with a `docker` command of ours, which does as it is told and writes down what."""

import asyncio
import os
from datetime import timedelta

import pytest

from powerloop.kernel.isolation import EndedBy, IsolationPolicy, Launch, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation import ContainerLauncher

_DOCKER = """#!/bin/sh
echo "$@" >> "$LOG"
if [ "$1" = run ]; then eval "$RUN"; exit; fi
if [ "$1" = info ]; then echo "runc runsc "; fi
if [ "$1" = "$BROKEN" ]; then echo "no engine answers" >&2; exit 1; fi
"""


class Docker:
    """A docker command."""

    def __init__(self, folder):
        self.program = folder / "docker"
        self.program.write_text(_DOCKER)
        self.program.chmod(0o755)
        self._log = folder / "log"

    @property
    def commands(self):
        return [line.split() for line in self._log.read_text().splitlines()] if self._log.exists() else []

    async def run(self, script, **launch):
        """What comes of a launch where ``docker run`` is that script."""
        return await self.launcher(RUN=script).run(Launch(argv=("leaf", "now"), **launch))

    def launcher(self, runtime=None, **environ):
        own = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "DOCKER_CONFIG": "/nowhere"}
        self.program.write_text(_exporting({"LOG": str(self._log), "RUN": "", "BROKEN": "-", **environ}))
        return ContainerLauncher(
            "image",
            runtime=runtime,
            program=str(self.program),
            environ={**own, "ALLOWED": "yes", "SECRET": "sk-parent"},
            grace=timedelta(milliseconds=100),
        )


def _exporting(variables):
    head, _, body = _DOCKER.partition("\n")
    lines = [f"{name}='{value}'" for name, value in variables.items()]
    return "\n".join([head, *lines, body])


@pytest.fixture
def fake(tmp_path):
    return Docker(tmp_path)


async def test_a_program_runs_in_a_container_of_its_own_name(fake):
    first = await fake.run("cat; exit 3", stdin=b"hello")
    assert (first.code, first.stdout, first.ended_by) == (3, b"hello", None)
    await fake.run("true")
    names = [command[command.index("--name") + 1] for command in fake.commands]
    assert len(set(names)) == 2
    assert all(command[-2:] == ["image", "now"] for command in fake.commands)


async def test_values_of_variables_are_in_the_environment_of_the_command_and_in_no_argument(fake):
    policy = IsolationPolicy(environment=("ALLOWED",))
    exited = await fake.run('echo "$ALLOWED-$KEY-$SECRET-$DOCKER_CONFIG"', policy=policy, env={"KEY": "sk-1"})
    assert exited.stdout == b"yes-sk-1--/nowhere\n"
    assert "sk-1" not in str(fake.commands)


async def test_a_variable_that_the_command_needs_for_itself_is_not_changed_for_a_program(fake):
    with pytest.raises(LaunchFailed, match="DOCKER_CONFIG"):
        await fake.run("true", env={"DOCKER_CONFIG": "/elsewhere"})
    assert fake.commands == []


@pytest.mark.parametrize("code", [125, 126, 127])
async def test_what_docker_cannot_run_is_a_failure(fake, code):
    with pytest.raises(LaunchFailed, match="no such image"):
        await fake.run(f"echo no such image >&2; exit {code}")


async def test_a_program_that_dies_of_a_signal_is_told_by_it(fake):
    exited = await fake.run("exit 137")
    assert (exited.code, exited.ended_by) == (-9, EndedBy.SIGNAL)


@pytest.mark.parametrize(
    ("script", "limits", "ended_by"),
    [
        ("sleep 1000", {"wall_clock": timedelta(seconds=1)}, EndedBy.WALL_CLOCK),
        ("yes", {"output_bytes": 100}, EndedBy.OUTPUT),
    ],
)
async def test_a_container_whose_limit_is_reached_is_removed_by_its_name(fake, script, limits, ended_by):
    exited = await fake.run(script, policy=IsolationPolicy(limits=ProcessLimits(**limits)))
    assert exited.ended_by is ended_by
    run, removal = fake.commands
    assert removal == ["rm", "--force", "--volumes", run[run.index("--name") + 1]]


async def test_a_cancel_removes_the_container_by_its_name(fake, eventually):
    running = asyncio.create_task(fake.run("sleep 1000"))
    await eventually(lambda: fake.commands, "the command runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    run, removal = fake.commands
    assert removal == ["rm", "--force", "--volumes", run[run.index("--name") + 1]]


async def test_a_cancel_stays_one_where_the_container_cannot_be_removed(fake, eventually):
    running = asyncio.create_task(fake.launcher(RUN="sleep 1000", BROKEN="rm").run(Launch(argv=("leaf",))))
    await eventually(lambda: fake.commands, "the command runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_it_says_what_is_missing(fake):
    await fake.launcher().check()
    await fake.launcher(runtime="runsc").check()
    with pytest.raises(LaunchFailed, match="no engine answers"):
        await fake.launcher(BROKEN="version").check()
    with pytest.raises(LaunchFailed, match="docker pull image"):
        await fake.launcher(BROKEN="image").check()
    with pytest.raises(LaunchFailed, match="'kata'; it has runc runsc"):
        await fake.launcher(runtime="kata").check()
    with pytest.raises(LaunchFailed, match="no-such-docker is not installed"):
        await ContainerLauncher("image", program="no-such-docker").check()


async def test_a_real_engine_runs_a_program(docker):
    image = os.environ.get("TEST_DOCKER_IMAGE")
    if not image:
        pytest.skip("TEST_DOCKER_IMAGE names no image with a shell")
    launcher = ContainerLauncher(image, program=docker)
    await launcher.check()
    script = 'cat; test -z "$SECRET" && exit 3'
    exited = await launcher.run(Launch(argv=("sh", "-c", script), stdin=b"hello"))
    assert (exited.code, exited.stdout) == (3, b"hello")
