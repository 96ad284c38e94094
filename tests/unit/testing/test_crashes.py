"""Processes that die where they are told to."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from powerloop.kernel.crash_points import CrashPoint
from powerloop.kernel.errors import InvalidInput
from powerloop.testing import crash_at

SCRIPT = """
import sys
from pathlib import Path
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.testing import crash_at

crash_at("after_tool", passing=2, once=Path(sys.argv[1]) if sys.argv[1:] else None)
for point in (CrashPoint.AFTER_TOOL, CrashPoint.BEFORE_TOOL, CrashPoint.AFTER_TOOL, CrashPoint.AFTER_FINISH):
    print(point, flush=True)
    passing(point)
"""


def run(*arguments: str) -> tuple[int, list[str]]:
    """The exit code, and the points that were reached."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.split()


def test_the_process_dies_at_the_passing_that_it_is_told():
    assert run() == (-signal.SIGKILL, ["after_tool", "before_tool", "after_tool"])


def test_a_marker_spares_the_successor(tmp_path: Path):
    marker = tmp_path / "died"

    assert run(str(marker))[0] == -signal.SIGKILL
    assert marker.exists()
    assert run(str(marker)) == (0, ["after_tool", "before_tool", "after_tool", "after_finish"])


@pytest.mark.parametrize(
    ("name", "hint"), [("after_tol", "Did you mean 'after_tool'?"), ("lunch", "There are: before_claim, ")]
)
def test_an_unknown_point_is_refused_with_the_nearest(name: str, hint: str):
    with pytest.raises(InvalidInput, match=f"no crash point '{name}'. .*{hint}".replace("?", r"\?")):
        crash_at(name)


def test_passings_are_counted_from_one():
    with pytest.raises(InvalidInput, match="counted from 1"):
        crash_at(CrashPoint.AFTER_TOOL, passing=0)
