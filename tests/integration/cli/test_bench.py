"""``powerloop bench``: its figures, for programs and for people."""

import json
import subprocess
import sys

import pytest

# It starts all of a system, and runs two workflows on it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def fanned_out():
    """What `bench fanout` prints."""
    command = [*(sys.executable, "-m", "powerloop", "bench", "fanout"), *("--leaves", "120", "--window", "8")]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_fan_out_is_measured_by_its_first_and_its_last_leaves(fanned_out):
    assert set(fanned_out) == {
        *("leaves", "workers", "window", "leaves_per_s", "run_s"),
        *("first_100_ms", "last_100_ms", "ratio", "cpu_ms_per_leaf", "commits_per_leaf", "resumed"),
    }
    assert (fanned_out["leaves"], fanned_out["workers"], fanned_out["window"]) == (120, 2, 8)
    assert fanned_out["leaves_per_s"] == pytest.approx(120 / fanned_out["run_s"], rel=0.1)
    assert fanned_out["ratio"] == pytest.approx(
        fanned_out["last_100_ms"] / fanned_out["first_100_ms"], rel=0.1
    )
    assert fanned_out["cpu_ms_per_leaf"] > 0


def test_of_a_run_that_is_resumed_only_the_rest_is_run(fanned_out):
    resumed = fanned_out["resumed"]
    assert resumed["done_before"] + resumed["ran"] == 120
    assert 120 > resumed["done_before"] >= 108 - 6
    assert resumed["s"] > 0
