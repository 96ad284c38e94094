"""``powerloop bench``: its figures, for programs and for people."""

import json
import subprocess
import sys

import pytest

# Each starts all of a system. One runs two workflows on it, the other waits for timers.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def bench(*arguments):
    """What the command prints for programs."""
    command = [sys.executable, "-m", "powerloop", "bench", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def fanned_out():
    return bench("fanout", "--leaves", "120", "--window", "8")


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


def test_timers_are_measured_in_a_burst_and_one_by_one():
    fired = bench("timers", "--due", "50", "--beats", "2", "--idle", "3")
    assert set(fired) == {
        *("due", "beats", "workers", "fires_per_s", "burst_late_p50_ms", "burst_late_p99_ms"),
        *("last_enqueued_s", "all_committed_s", "committed_per_s", "cpu_ms_per_fire", "commits_per_fire"),
        *("idle", "late_p50_ms", "late_p99_ms"),
    }
    assert [fired[name] for name in ("due", "beats", "workers", "idle")] == [50, 2, 0, 3]
    assert fired["fires_per_s"] >= fired["committed_per_s"] > 0
    assert 0 < fired["burst_late_p50_ms"] <= fired["burst_late_p99_ms"]
    assert 0 < fired["late_p50_ms"] <= fired["late_p99_ms"]
    assert fired["cpu_ms_per_fire"] > 0
    assert fired["commits_per_fire"] > 0
