"""The program between us and a child: it does not start what nobody would stop."""

import os
import subprocess
import sys

import pytest

from powerloop.embedded import tether

pytestmark = pytest.mark.integration


def run(parent: int, *command: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", tether.__file__, str(parent), "15", "-1", "-1", *command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def test_it_becomes_the_command():
    assert run(os.getpid(), "/bin/echo", "a b", "c").stdout == "a b c\n"


def test_it_starts_nothing_when_its_parent_has_gone_already():
    answer = run(1, "/bin/echo", "started")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "has gone already" in answer.stderr


def test_it_says_what_it_cannot_run():
    answer = run(os.getpid(), "/no/such/program")
    assert answer.returncode == tether.NOT_STARTED
    assert "/no/such/program cannot be run" in answer.stderr
