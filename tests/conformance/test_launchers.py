"""What every implementation of `Launcher` promises."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import psutil
import pytest

from powerloop.kernel.isolation import EndedBy, IsolationPolicy, Launch, ProcessLimits
from powerloop.kernel.isolation_errors import LaunchFailed
from powerloop.tools.isolation import BubblewrapLauncher, DirectLauncher, python_paths

ENVIRON = {"PATH": os.environ["PATH"], "ALLOWED": "yes", "SECRET": "sk-parent"}
GRACE = timedelta(milliseconds=200)
SHORT = timedelta(milliseconds=500)


class Direct:
    """A launcher, and a policy that it can keep."""

    def __init__(self) -> None:
        self.launcher = DirectLauncher(environ=ENVIRON, grace=GRACE)

    def policy(self, environment=(), **limits):
        return IsolationPolicy(network=True, environment=environment, limits=ProcessLimits(**limits))


class Bubblewrap:
    def __init__(self) -> None:
        self.launcher = BubblewrapLauncher(environ=ENVIRON, grace=GRACE)

    def policy(self, environment=(), **limits):
        return IsolationPolicy(
            environment=environment, limits=ProcessLimits(**limits), read_only=python_paths()
        )


def bubblewrap():
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    return Bubblewrap()


@pytest.fixture(params=["direct", "bubblewrap"])
def place(request):
    """Where programs are run."""
    return Direct() if request.param == "direct" else bubblewrap()


@pytest.fixture
def run(place):
    """Runs a shell script."""

    async def run(script, stdin=b"", env=None, **policy):
        argv = ("sh", "-c", script)
        return await place.launcher.run(
            Launch(argv=argv, stdin=stdin, policy=place.policy(**policy), env=env or {})
        )

    return run


@pytest.fixture
def mark():
    """Seconds to sleep for, such that only this test's processes do."""
    return f"1000.{uuid4().int % 10**9:09}"


def marked(mark):
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["cmdline"]
        and any(mark in word for word in process.info["cmdline"])
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def test_it_can_work_here(place):
    await place.launcher.check()


async def test_a_program_reads_its_input_writes_its_output_and_ends_with_its_code(run):
    exited = await run("cat; echo trouble >&2; exit 3", stdin=b"hello")
    assert (exited.code, exited.stdout, exited.complaint) == (3, b"hello", "trouble")
    assert exited.ended_by is None


async def test_much_goes_in_and_out_at_once(run):
    data = os.urandom(1024 * 1024)
    assert (await run("cat", stdin=data)).stdout == data


async def test_a_program_need_not_read_its_input(run):
    assert (await run("true", stdin=bytes(1024 * 1024))).code == 0


async def test_a_program_finds_the_variables_of_its_launch_and_no_other(run):
    exited = await run("exec env", environment=("ALLOWED", "NOT_SET"), env={"GIVEN": "a b"})
    found = dict(line.split("=", 1) for line in exited.stdout.decode().splitlines())
    for of_the_shell in ("PWD", "OLDPWD", "SHLVL", "_"):
        found.pop(of_the_shell, None)
    assert found == {"ALLOWED": "yes", "GIVEN": "a b"}


async def test_no_argument_on_the_machine_has_the_value_of_a_variable(place, mark, eventually):
    secret = f"sk-{uuid4().hex}"
    launch = Launch(argv=("sleep", mark), policy=place.policy(environment=("PATH",)), env={"KEY": secret})
    running = asyncio.create_task(place.launcher.run(launch))
    await eventually(lambda: marked(mark), "the program runs")
    assert marked(secret) == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_program_finds_signals_as_the_system_has_them(run):
    assert (await run("kill -PIPE $$; exit 5")).code == -signal.SIGPIPE


async def test_python_runs(place):
    argv = (sys.executable, "-c", "import powerloop.kernel; print('here')")
    exited = await place.launcher.run(Launch(argv=argv, policy=place.policy()))
    assert (exited.stdout, exited.complaint) == (b"here\n", "")


@pytest.mark.parametrize("program", ["no-such-program", "/etc/passwd", "/no/such/folder"])
async def test_what_cannot_be_run_is_a_failure(place, program):
    with pytest.raises(LaunchFailed, match=program):
        await place.launcher.run(Launch(argv=(program,), policy=place.policy(environment=("PATH",))))


async def test_a_program_that_dies_of_a_signal_is_told_by_it(run):
    exited = await run("kill -KILL $$")
    assert (exited.code, exited.ended_by) == (-signal.SIGKILL, EndedBy.SIGNAL)


async def test_too_much_time_of_the_processor_ends_a_program(run):
    exited = await run("while :; do :; done", cpu=timedelta(milliseconds=500))
    assert exited.ended_by is EndedBy.CPU


async def test_more_memory_than_it_may_have_is_not_given_to_a_program(run):
    script = "exec dd if=/dev/zero of=/dev/null bs=512M count=1"
    assert (await run(script)).code == 0
    assert (await run(script, memory_bytes=256 * 1024 * 1024)).code != 0


async def test_too_much_time_on_the_wall_ends_a_program_and_all_that_it_started(run, mark):
    exited = await run(f"sleep {mark} & sleep {mark}", wall_clock=SHORT)
    assert exited.ended_by is EndedBy.WALL_CLOCK
    assert marked(mark) == []


async def test_too_much_output_ends_a_program_and_its_beginning_is_kept(run):
    exited = await run("exec yes", output_bytes=1000)
    assert (exited.ended_by, exited.stdout) == (EndedBy.OUTPUT, b"y\n" * 500)


async def test_output_up_to_the_limit_ends_nothing(run):
    exited = await run("printf %s 1234567890", output_bytes=10)
    assert (exited.ended_by, exited.stdout) == (None, b"1234567890")


async def test_of_much_standard_error_the_tail_is_kept(run):
    exited = await run("head -c 1000000 /dev/zero | tr '\\0' x >&2; echo the end >&2")
    assert exited.ended_by is None
    assert exited.stderr.endswith(b"xxxthe end\n")
    assert len(exited.stderr) < 100_000


async def test_what_a_program_leaves_running_ends_with_it(run, mark):
    assert (await run(f"sleep {mark} & echo done")).stdout == b"done\n"
    assert marked(mark) == []


@pytest.mark.parametrize("manners", ["", "trap '' TERM;"], ids=["obedient", "deaf"])
async def test_a_cancel_leaves_nothing_running(run, mark, eventually, manners):
    running = asyncio.create_task(run(f"{manners} sleep {mark} & sleep {mark}"))
    await eventually(lambda: len(marked(mark)) >= 2, "the program runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(mark) == []


async def test_a_cancel_before_the_first_instruction_leaves_nothing_running(run, mark):
    running = asyncio.create_task(run(f"sleep {mark}"))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(mark) == []


async def test_a_second_cancel_does_not_cut_the_first_one_short(run, mark, eventually):
    running = asyncio.create_task(run(f"trap '' TERM; sleep {mark} & sleep {mark}"))
    await eventually(lambda: len(marked(mark)) >= 2, "the program runs")
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert marked(mark) == []


async def test_many_run_at_once(run):
    exited = await asyncio.gather(*(run(f"echo {number}") for number in range(20)))
    assert [one.stdout for one in exited] == [b"%d\n" % number for number in range(20)]


_PARENT = """
import asyncio, sys
from powerloop.kernel.isolation import IsolationPolicy, Launch
from powerloop.tools.isolation import BubblewrapLauncher, DirectLauncher
launcher = {"DirectLauncher": DirectLauncher, "BubblewrapLauncher": BubblewrapLauncher}[sys.argv[1]]()
asyncio.run(launcher.run(Launch(argv=("sleep", sys.argv[2]), policy=IsolationPolicy(network=True))))
"""


async def test_a_program_does_not_outlive_a_worker_that_is_killed(place, mark, eventually):
    with subprocess.Popen([sys.executable, "-c", _PARENT, type(place.launcher).__name__, mark]) as parent:
        await eventually(
            lambda: [one for one in marked(mark) if one.info["cmdline"][0] == "sleep"], "the program runs"
        )
        parent.kill()
        await eventually(lambda: not marked(mark), "the program has ended")


# What one of them promises, and another cannot


async def test_the_direct_launcher_refuses_what_it_cannot_keep():
    launcher = DirectLauncher()
    for policy in (IsolationPolicy(), IsolationPolicy(network=True, read_only=("/usr",))):
        with pytest.raises(LaunchFailed, match="direct launcher"):
            await launcher.run(Launch(argv=("true",), policy=policy))


@pytest.mark.skipif(os.getuid() != 0, reason="only root's processes are not counted")
async def test_roots_processes_cannot_be_limited():
    policy = IsolationPolicy(network=True, limits=ProcessLimits(processes=10))
    with pytest.raises(LaunchFailed, match="root"):
        await DirectLauncher().run(Launch(argv=("true",), policy=policy))


async def test_bubblewrap_says_that_it_is_not_installed():
    launcher = BubblewrapLauncher(program="no-such-bwrap")
    with pytest.raises(LaunchFailed, match="no-such-bwrap is not installed"):
        await launcher.check()


async def test_bubblewrap_shows_what_the_policy_says(tmp_path):
    launcher = bubblewrap().launcher
    for name in ("hidden", "seen", "kept"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    policy = IsolationPolicy(read_only=(str(tmp_path / "seen"),), writable=(str(tmp_path / "kept"),))
    script = "ls; cat */file; touch seen/no; touch kept/yes; ls /tmp /root /home"
    argv = ("sh", "-c", f"cd {tmp_path}; {script}")
    exited = await launcher.run(Launch(argv=argv, policy=policy, env={"PATH": "/usr/bin:/bin"}))
    assert exited.stdout.startswith(b"kept\nseen\nkeptseen")
    assert "hidden" not in exited.stdout.decode()
    assert [path.name for path in sorted(tmp_path.glob("*/*")) if path.name != "file"] == ["yes"]


@pytest.mark.parametrize("network", [True, False])
async def test_bubblewrap_opens_the_network_where_the_policy_does(network):
    launcher = bubblewrap().launcher
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        argv = ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")
        launch = Launch(argv=argv, policy=IsolationPolicy(network=network), env={"PATH": "/usr/bin:/bin"})
        assert ((await launcher.run(launch)).code == 0) is network
