"""The entry point as a shell calls it: help, exit codes, and streams."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_the_program_that_is_installed_lists_every_family_of_commands():
    program = Path(sys.executable).with_name("powerloop")
    helped = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (helped.returncode, helped.stderr) == (0, "")
    for command in ("beat", "demo", "dev", "doctor", "fsck", "inbox", "send", "sends", "usage", "worker"):
        assert f" {command} " in helped.stdout


def test_data_go_to_one_stream_and_trouble_to_the_other(powerloop_process, system):
    made = powerloop_process("session", "new", "echo", "--id", "s", "--json", **system)
    assert (made.returncode, made.stderr) == (0, "")
    assert json.loads(made.stdout)["id"] == "s"
    refused = powerloop_process("sends", "show", "nothing", "--json", **system)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "send.not_found" in refused.stderr
