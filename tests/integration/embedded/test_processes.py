"""Supervised processes: their output, their restarts, their end, and ours."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from powerloop.embedded import Ended, FileLines, ProcessGroup, Supervised

pytestmark = pytest.mark.integration

READY_THEN_WAIT = "import time; print('ready'); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)"
ON_SIGTERM = """
import signal, sys, time
def leave(*_):
    print("leaving"); sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready")
time.sleep(600)
"""
# On SIGTERM, each waits for the other to have had its own.
MEETS_ANOTHER = """
import pathlib, signal, sys, time
def leave(*_):
    pathlib.Path("{mine}").touch()
    while not pathlib.Path("{its}").exists():
        time.sleep(0.01)
    print("met"); sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready")
time.sleep(600)
"""
GROUP_AND_WAIT = """
import json, sys
from powerloop.embedded import ProcessGroup, Supervised
class Silent:
    def write(self, name, line): pass
group = ProcessGroup(Silent())
group.start(Supervised(name="child", argv=[sys.executable, "-c", sys.argv[1]]))
print(json.dumps(group.pids()), flush=True)
sys.stdin.read()
"""


class Heard:
    """Keeps what is written, for tests to wait on."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def write(self, name: str, line: str) -> None:
        self.lines.append((name, line))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def group(heard: Heard) -> Iterator[ProcessGroup]:
    with ProcessGroup(heard) as group:
        yield group


def python(name: str, script: str, **options) -> Supervised:
    return Supervised(name=name, argv=[sys.executable, "-c", script], **options)


def test_lines_arrive_as_they_are_written_from_both_outputs(
    group: ProcessGroup, heard: Heard, eventually_blocking: Callable
):
    group.start(python("talker", "import sys; print('one'); print('two', file=sys.stderr); input()"))
    end = group.wait(timedelta(seconds=30))
    assert end == Ended(name="talker", exit_code=1)
    assert heard.lines[:2] == [("talker", "one"), ("talker", "two")]


def test_a_process_that_ends_is_reported_with_its_code(group: ProcessGroup):
    group.start(python("brief", "raise SystemExit(3)"))
    assert group.wait(timedelta(seconds=30)) == Ended(name="brief", exit_code=3)
    assert group.pids() == {}


def test_nothing_is_reported_while_all_run(group: ProcessGroup):
    group.start(python("steady", READY_THEN_WAIT))
    assert group.wait(timedelta(milliseconds=50)) is None
    assert list(group.pids()) == ["steady"]


def test_a_command_that_does_not_exist_is_reported_in_words(group: ProcessGroup, heard: Heard):
    group.start(Supervised(name="typo", argv=["/no/such/program"]))
    assert group.wait(timedelta(seconds=30)) == Ended(name="typo", exit_code=127)
    assert heard.lines == [
        ("typo", "/no/such/program cannot be run: [Errno 2] No such file or directory"),
    ]


def test_a_crash_is_followed_by_a_restart(
    group: ProcessGroup, heard: Heard, gone: Callable, eventually_blocking: Callable
):
    group.start(python("phoenix", READY_THEN_WAIT, restart=True))
    first = group.pids()["phoenix"]
    group.signal("phoenix", signal.SIGKILL)
    eventually_blocking(lambda: group.pids().get("phoenix", first) != first, "it was started again")
    eventually_blocking(lambda: heard.lines.count(("phoenix", "ready")) >= 1, "it is ready again")
    assert gone(first)
    assert ("phoenix", "ended with -9; started again in 0.5 s") in heard.lines


def test_a_clean_end_is_no_crash(group: ProcessGroup):
    group.start(python("done", "pass", restart=True))
    assert group.wait(timedelta(seconds=30)) == Ended(name="done", exit_code=0)


def test_stop_asks_and_hears_the_last_words(heard: Heard, eventually_blocking: Callable):
    group = ProcessGroup(heard)
    group.start(python("polite", ON_SIGTERM))
    eventually_blocking(lambda: ("polite", "ready") in heard.lines, "it is ready")
    group.stop()
    assert heard.lines[-1] == ("polite", "leaving")


def test_stop_kills_what_does_not_listen(heard: Heard, gone: Callable, eventually_blocking: Callable):
    group = ProcessGroup(heard)
    group.start(python("deaf", DEAF, stop_within=timedelta(seconds=0.3)))
    pid = group.pids()["deaf"]
    eventually_blocking(lambda: ("deaf", "ready") in heard.lines, "it is ready")
    began = time.monotonic()
    group.stop()
    assert gone(pid)
    assert time.monotonic() - began < 10
    assert heard.lines[-1] == ("deaf", "did not end in time and is killed")


def test_stop_ends_a_process_between_two_restarts(heard: Heard, eventually_blocking: Callable):
    group = ProcessGroup(heard)
    group.start(python("crasher", "raise SystemExit(9)", restart=True))
    eventually_blocking(lambda: any("started again" in line for _, line in heard.lines), "it crashed")
    group.stop()
    assert group.pids() == {}
    assert not [thread for thread in threading.enumerate() if thread.name == "keeper crasher"]


def test_all_are_asked_to_end_before_one_is_waited_for(
    heard: Heard, eventually_blocking: Callable, tmp_path: Path
):
    group = ProcessGroup(heard)
    for name, other in (("first", "second"), ("second", "first")):
        group.start(python(name, MEETS_ANOTHER.format(mine=tmp_path / name, its=tmp_path / other)))
    eventually_blocking(lambda: len(heard.lines) == 2, "both are ready")
    group.stop()
    assert sorted(heard.lines[2:]) == [("first", "met"), ("second", "met")]


def test_what_a_process_leaves_behind_ends_with_it(
    group: ProcessGroup, heard: Heard, gone: Callable, eventually_blocking: Callable
):
    script = (
        "import subprocess, sys;"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid); input()"
    )
    group.start(python("parent", script))
    assert group.wait(timedelta(seconds=30)) == Ended(name="parent", exit_code=1)
    grandchild = int(heard.lines[0][1])
    eventually_blocking(lambda: gone(grandchild), "the grandchild is gone")


def test_a_kill_of_this_process_ends_them(victim: Callable, gone: Callable, eventually_blocking: Callable):
    owner = victim(GROUP_AND_WAIT, DEAF)
    owner.send(signal.SIGKILL)
    eventually_blocking(lambda: gone(owner.said["child"]), "the child is gone")


def test_files_take_the_output_of_each_process(tmp_path: Path):
    lines = FileLines(tmp_path / "logs")
    with ProcessGroup(lines) as group:
        group.start(python("worker", "print('1'); print('2'); print('3')"))
        group.wait(timedelta(seconds=30))
    assert lines.path_of("worker").read_text() == "1\n2\n3\n"
    assert lines.tail("worker", 2) == ["2", "3"]
    assert lines.tail("beat") == []
    assert lines.path_of("worker").stat().st_mode & 0o077 == 0


def test_the_environment_and_folder_are_as_told(group: ProcessGroup, heard: Heard, tmp_path: Path):
    script = "import os; print(os.environ.get('WORD'), os.environ.get('HOME'), os.getcwd())"
    group.start(python("told", script, env={"WORD": "x"}, cwd=tmp_path))
    group.wait(timedelta(seconds=30))
    assert heard.lines == [("told", f"x None {tmp_path}")]
