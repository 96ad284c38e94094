"""``powerloop workflow run`` and its like, where no worker has begun the run, or nothing is asked for."""

import json
import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

FIRST = {"type": "agent", "id": "first", "agent": "echo", "input": "{{input}}"}


@pytest.fixture
def written(tmp_path):
    """The name of a file with a workflow of these steps."""

    def write(name, *steps):
        file = tmp_path / "workflow.json"
        file.write_text(json.dumps({"name": name, "root": {"type": "sequence", "steps": steps}}))
        return str(file)

    return write


def test_a_run_that_no_worker_has_begun_is_shown_and_cancelled(run, powerloop, system, written):
    [started] = run("workflow", "run", written("w", FIRST))
    run_id = started["id"]
    assert "No worker has begun it yet." in powerloop("workflow", "show", run_id, **system).stdout
    for verb in (("pause", run_id), ("signal", run_id, "go"), ("skip", run_id, "root")):
        refused = powerloop("workflow", *verb, **system)
        assert (refused.returncode, f"sends explain {run_id}" in refused.stderr) == (2, True)
    assert [(one["id"], one["status"]) for one in run("workflow", "list")] == [(run_id, "open")]
    assert run("workflow", "list", "--status", "done") == []
    assert run("workflow", "cancel", run_id)[0]["effect"] == "cancelled"
    [ended] = run("workflow", "show", run_id, "--follow", code=1)
    assert (ended["status"], ended["error_code"]) == ("cancelled", "workflow.cancelled")


@pytest.mark.parametrize(
    "verb",
    ["show", "cancel", "pause", "resume", ("retry", "root"), ("skip", "root"), ("signal", "go")],
)
def test_a_run_that_nobody_knows_is_said_not_to_be_there(powerloop, system, verb):
    name, *more = (verb,) if isinstance(verb, str) else verb
    done = powerloop("workflow", name, "nowhere", *more, **system)
    assert (done.returncode, done.stdout) == (2, "")
    assert "run.not_found: there is no run of a workflow 'nowhere'." in done.stderr


def test_ctrl_c_leaves_a_followed_run_as_it_is_and_says_how_to_follow_it_again(
    run, system, tmp_path, written
):
    follow = [sys.executable, "-m", "powerloop", "workflow", "run", written("w", FIRST), "--follow"]
    process = subprocess.Popen(
        follow,
        env={**os.environ, **system},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    run_id = process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert f"The run goes on.\nTo follow it again: powerloop workflow show {run_id} --follow" in said
    assert run("workflow", "show", run_id)[0]["status"] == "open"


def test_a_workflow_with_problems_is_refused_with_all_of_them(powerloop, system, written):
    done = powerloop("workflow", "run", written("w", {"type": "agent"}, {"type": "nap"}), **system)
    assert (done.returncode, "workflow.invalid" in done.stderr) == (2, True)
    assert "root.steps[0]" in done.stderr
    assert "root.steps[1]" in done.stderr


def test_a_file_without_a_workflow_is_refused_without_asking_any_service(powerloop, tmp_path):
    (tmp_path / "name.json").write_text("research")
    done = powerloop("workflow", "run", "name.json")
    assert (done.returncode, "workflow.invalid" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--input", '{"a":'], "--input: '{\"a\":' is not JSON"),
        (["--input", "@nowhere.json"], "nowhere.json cannot be read"),
        (["--input", "@broken.json"], "is not JSON"),
        (["--metadata", "[1]"], "--metadata is a JSON object"),
    ],
)
def test_malformed_options_are_told(powerloop, written, tmp_path, options, told):
    (tmp_path / "broken.json").write_text("{")
    done = powerloop("workflow", "run", written("w", FIRST), *options)
    assert (done.returncode, told in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr


def test_malformed_values_and_payloads_are_told(powerloop):
    for verb in (("skip", "r", "root", "--value", "{"), ("signal", "r", "go", "--payload", "NaN")):
        done = powerloop("workflow", *verb)
        assert (done.returncode, f"{verb[-2]}: " in done.stderr) == (2, True)


def test_an_input_is_json_a_file_or_a_text(powerloop, written, tmp_path):
    (tmp_path / "given.json").write_text('{"a": [1]}')
    (tmp_path / "given.txt").write_text("[sic] a text")
    file = written("w", FIRST)
    for given, told in {
        "@given.json": '{"a": [1]}',
        "@given.txt": "[sic] a text",
        "a text": "a text",
        "NaN": "NaN",
        '"[sic]"': "[sic]",
    }.items():
        done = powerloop("workflow", "dry-run", file, "--input", given)
        assert f"echo ← {told}" in done.stdout


def test_a_workflow_is_stored_by_name_and_run_by_it(run, powerloop, system, written):
    assert run("workflow", "stored") == []
    [first] = run("workflow", "save", written("shop", FIRST), "--note", "the first")
    assert (first["name"], first["version"], first["note"]) == ("shop", 1, "the first")
    assert run("workflow", "save", written("shop", FIRST))[0]["version"] == 1
    assert run("workflow", "save", written("shop", FIRST, {**FIRST, "id": "second"}))[0]["version"] == 2
    assert [one["version"] for one in run("workflow", "stored", "shop")] == [2, 1]
    assert run("workflow", "run", "shop@1")[0]["status"] == "open"
    refused = powerloop("workflow", "run", "shpo", **system)
    assert (refused.returncode, "shop" in refused.stderr) == (2, True)
