"""The commands of those who operate a system: cancel, inbox, sends, fsck, doctor."""

import os
import signal
import subprocess
import sys

import psycopg
import pytest
import redis

from powerloop.kernel.interactions import InteractionKind

pytestmark = pytest.mark.integration


@pytest.fixture
def in_doubt(asks):
    """A send that waits for a person, who is to say what became of a call."""
    return asks(InteractionKind.IN_DOUBT, prompt="Was it paid?").send_id


def test_sends_are_cancelled_by_id_and_by_session(run):
    run("session", "new", "echo", "--id", "s")
    ids = [run("send", "s", f"{number}")[0]["id"] for number in range(3)]
    [one] = run("cancel", ids[1], "--reason", "twice", "--actor", "ada")
    assert (one["effect"], one["status"]) == ("cancelled", "cancelled")
    [shown] = run("sends", "show", ids[1])
    assert (shown["cancel"]["reason"], shown["cancel"]["actor"]) == ("twice", "ada")
    assert [row["id"] for row in run("cancel", "--session", "s")] == [ids[2], ids[0]]
    assert run("cancel", ids[0])[0]["effect"] == "ended"
    assert run("cancel", "--session", "s") == []


def test_a_cancel_of_what_nobody_knows_is_remembered_and_said(run, powerloop, system):
    [row] = run("cancel", "nothing", code=1)
    assert row == {"id": "nothing", "effect": "remembered", "session_id": None, "status": None}
    assert "Not known, and remembered: nothing." in powerloop("cancel", "nothing", **system).stderr


def test_ctrl_c_leaves_a_followed_send_as_it_is_and_says_how_to_cancel_it(
    run, system, tmp_path, eventually_blocking
):
    run("session", "new", "echo", "--id", "s")
    follow = [sys.executable, "-m", "powerloop", "send", "s", "hello", "--follow"]
    process = subprocess.Popen(
        follow, env={**os.environ, **system}, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    with redis.Redis.from_url(system["POWERLOOP_REDIS_URL"]) as client:
        eventually_blocking(
            lambda: any(one["cmd"] == "xread" for one in client.client_list()), "it follows", within=20
        )
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    [send] = run("sends", "list")
    assert (process.returncode, send["status"]) == (130, "queued")
    assert f"The send goes on. To end it: powerloop cancel {send['id']}" in said


def test_sends_are_listed_by_several_states(run):
    run("session", "new", "echo", "--id", "s")
    ids = [run("send", "s", f"{number}")[0]["id"] for number in range(2)]
    run("cancel", ids[1])
    both = run("sends", "list", "--status", "queued", "--status", "cancelled", "--agent", "echo")
    assert [row["id"] for row in both] == [ids[1], ids[0]]
    assert [row["id"] for row in run("sends", "list", "--status", "queued")] == [ids[0]]
    assert run("sends", "list", "--metadata", "customer=42") == []


def test_a_question_is_listed_shown_and_answered(run, in_doubt, powerloop, system):
    [question] = run("inbox", "list")
    assert (question["send_id"], question["tool"], question["arguments"]) == (in_doubt, "pay", {"amount": 3})
    assert "Was it paid?" in powerloop("inbox", "show", question["id"], **system).stdout
    assert "1 question(s) wait" in powerloop("doctor", **system).stdout
    [answered] = run("inbox", "answer", question["id"], "--done", "paid on Monday", "--actor", "ada")
    assert (answered["status"], answered["answer"]["result"]) == ("answered", "paid on Monday")
    assert run("inbox", "list") == []
    assert [row["id"] for row in run("inbox", "list", "--status", "answered")] == [question["id"]]
    assert run("sends", "show", in_doubt)[0]["status"] == "queued"
    again = powerloop("inbox", "answer", question["id"], "--run", **system)
    assert (again.returncode, "interaction.closed" in again.stderr) == (2, True)


def test_a_system_that_is_well_passes_every_check(run, in_doubt):
    assert {report["status"] for report in run("fsck")} <= {"ok", "not_applicable"}


def test_a_broken_promise_is_shown_with_its_rows(run, in_doubt, powerloop, system):
    with psycopg.connect(system["POWERLOOP_DATABASE_URL"]) as connection:
        connection.execute("UPDATE powerloop.sessions SET finished = 0, accepted = 5")
    violated = [report for report in run("fsck", code=1) if report["status"] == "violated"]
    assert violated
    assert all(report["rows"] for report in violated)
    said = powerloop("fsck", **system)
    assert said.returncode == 1
    assert "violated" in said.stdout


def test_a_session_is_paused_and_resumed(run):
    run("session", "new", "echo", "--id", "s")
    assert run("session", "pause", "s")[0]["paused_at"] is not None
    [send] = run("send", "s", "hello")
    [explained] = run("sends", "explain", send["id"])
    assert (explained["code"], "powerloop session resume s" in explained["hint"]) == ("paused", True)
    assert run("session", "resume", "s")[0]["paused_at"] is None
