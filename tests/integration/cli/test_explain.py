"""``powerloop sends explain``: one paragraph for people, one line for programs."""

import json

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def waiting(powerloop, system):
    """A send that no worker is there for."""
    powerloop("session", "new", "echo", "--id", "s", **system)
    return json.loads(powerloop("send", "s", "hello", "--json", **system).stdout.splitlines()[0])["id"]


def test_a_send_that_does_not_run_is_explained_to_people_and_to_programs(powerloop, system, waiting):
    told = powerloop("sends", "explain", waiting, **system)
    assert told.returncode == 0, told.stderr
    said, nobody = (
        " ".join(told.stdout.split()),
        f"Send {waiting} is ready, and there is no worker to take it.",
    )
    assert said.startswith(f"{nobody} No worker is alive; there is no trace of one.")
    assert said.endswith("Start a worker: powerloop worker.")
    row = json.loads(powerloop("sends", "explain", waiting, "--json", **system).stdout)
    assert (row["id"], row["code"], row["because"]) == (waiting, "no_worker", None)
    assert row["text"].startswith(nobody)
    assert row["hint"] == "Start a worker: powerloop worker."


def test_an_unknown_send_is_wrong_use(powerloop, system):
    told = powerloop("sends", "explain", "nothing", **system)
    assert told.returncode == 2
    assert "send.not_found: there is no send 'nothing'." in told.stderr
