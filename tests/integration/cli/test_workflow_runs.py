"""``powerloop workflow run`` and its like, on a worker: runs, followed, answered, steered and repaired."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from powerloop.embedded import RedisServer

pytestmark = pytest.mark.integration

APP = '''
from powerloop import Agent, tool

@tool(effect="read")
async def double(number: int) -> int:
    """Double it."""
    return 2 * number

@tool(effect="read")
async def refuse() -> str:
    """Fail."""
    raise ValueError("not today")

echo = Agent(name="echo", model="scripted:echo")
clerk = Agent(name="clerk", model="scripted:echo", tools=[double, refuse])
'''

FIRST = {"type": "agent", "id": "first", "agent": "echo", "input": "{{input}}"}
REFUSED = {"type": "tool", "id": "refused", "agent": "clerk", "tool": "refuse"}
DOUBLES = {
    "type": "foreach",
    "id": "doubles",
    "items": [1, 2, 3],
    "as": "number",
    "body": {
        "type": "tool",
        "id": "d",
        "agent": "clerk",
        "tool": "double",
        "arguments": {"number": "{{number}}"},
    },
}
GO = {"type": "wait", "id": "go", "signal": "go"}


@pytest.fixture(scope="module")
def staffed(
    database_like: Callable[..., Any],
    migrated_template: str,
    open_folder: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """The environment of a system with a worker, for all tests of this file: names of runs are their own."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / "workflow_crew.py").write_text(APP)
    with database_like(migrated_template) as url, RedisServer(open_folder() / "r", durable=False) as server:
        reached = {"POWERLOOP_DATABASE_URL": url, "POWERLOOP_REDIS_URL": server.url}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "powerloop.workers", "worker"),
                    *("--pool", "custom", "-c", "20", "-l", "INFO", "--without-gossip", "--without-mingle"),
                ],
                env={
                    **{name: text for name, text in os.environ.items() if not name.startswith("POWERLOOP_")},
                    **reached,
                    "POWERLOOP_APP": "workflow_crew",
                    "CELERY_CUSTOM_WORKER_POOL": "powerloop.workers.pool:TaskPool",
                },
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        yield reached
        process.kill()
        process.wait()


@pytest.fixture
def written(tmp_path):
    """The name of a file with a workflow of these steps."""

    def write(name, *steps):
        file = tmp_path / "workflow.json"
        spec = {"name": name, "input": "hello", "root": {"type": "sequence", "steps": steps}}
        file.write_text(json.dumps(spec))
        return str(file)

    return write


@pytest.fixture
def worked(powerloop, staffed):
    """Runs a command on the system with a worker; its output as JSON lines."""

    def run(*arguments, code=0):
        done = powerloop("workflow", *arguments, "--json", **staffed)
        assert done.returncode == code, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def begun(worked, written, eventually_blocking):
    """Starts a run of these steps; its id, once the node of that path is in that state."""

    def begin(name, *steps, path, status):
        [started] = worked("run", written(name, *steps))

        def there():
            [shown] = worked("show", started["id"])
            return any(one["path"] == path and one["status"] == status for one in shown["nodes"])

        eventually_blocking(lambda: asyncio.to_thread(there), f"{path} is {status}", within=30)
        return started["id"]

    return begin


def test_a_run_is_followed_to_its_value_line_by_line(powerloop, staffed, written):
    done = powerloop("workflow", "run", written("w", FIRST, DOUBLES), "-i", "cats", "--follow", **staffed)
    run_id, *lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads("".join(lines[-5:])) == [2, 4, 6]
    assert any(re.search(r"✓ agent first  .* tokens  .*  root\.steps\[0\]$", line) for line in lines)
    assert any(re.search(r"✓ foreach doubles  3/3  .*  root\.steps\[1\]$", line) for line in lines)
    shown = powerloop("workflow", "show", run_id, **staffed).stdout
    assert f"w  {run_id}  done" in shown
    assert re.search(r"│   ├── ✓ tool d #0|    ├── ✓ tool d #0", shown)
    assert re.search(r"✓ agent first  .* tokens  \$0\.00  \S+:\d+:\w+", shown)


def test_on_a_terminal_its_tree_is_drawn_in_place(powerloop, staffed, written):
    file = written("w", FIRST, DOUBLES)
    done = powerloop("workflow", "run", file, "-i", "cats", "--follow", **staffed, FORCE_COLOR="1")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout)
    assert done.returncode == 0
    assert "\x1b[1A" in done.stdout
    assert f"✓ foreach doubles  {'━' * 20} 3/3" in plain


def test_programs_are_told_each_change_and_the_end(worked, written):
    started, *changes, ended = worked("run", written("w", FIRST), "-i", '{"a": 1}', "--follow")
    assert (started["status"], ended["id"], ended["status"]) == ("open", started["id"], "done")
    assert (json.loads(ended["value"]), ended["error"], ended["cost_usd"]) == ({"a": 1}, None, "0")
    assert changes[-1]["path"] == "root"
    assert {one["run_id"] for one in changes} == {started["id"]}
    [shown] = worked("show", started["id"])
    assert [(one["path"], one["status"]) for one in shown["nodes"]] == [
        ("root", "done"),
        ("root.steps[0]", "done"),
    ]
    assert shown["nodes"][1]["worker"]
    assert shown["input_tokens"] == shown["nodes"][1]["input_tokens"] > 0


def test_the_same_key_gives_the_same_run(worked, written):
    ids = [worked("run", written("keyed", FIRST), "--key", "k", "-f")[-1]["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    assert [row["id"] for row in worked("list", "--name", "keyed")] == [ids[0]]


def test_a_failed_run_exits_with_1_and_says_why(powerloop, staffed, written):
    done = powerloop("workflow", "run", written("w", FIRST, REFUSED), "--follow", **staffed)
    assert done.returncode == 1
    assert "tool.failed: refuse raised ValueError: not today" in done.stderr
    assert f"powerloop workflow resume {done.stdout.split()[0]}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_node_is_retried_and_skipped_and_the_rest_goes_on(worked, powerloop, staffed, written):
    *_, failed = worked("run", written("w", FIRST, REFUSED, DOUBLES), "-f", code=1)
    run_id, path = failed["id"], "root.steps[1]"
    assert failed["error_code"] == "tool.failed"
    assert run_id in [row["id"] for row in worked("list", "--status", "failed")]
    worked("retry", run_id, path)
    *changes, again = worked("show", run_id, "--follow", code=1)
    assert [(one["attempt"], one["status"]) for one in changes if one["path"] == path][-1] == (2, "failed")
    assert powerloop("workflow", "retry", run_id, "root.steps[0]", **staffed).returncode == 2
    worked("skip", run_id, path, "--value", '{"by": "hand"}')
    *_, ended = worked("show", run_id, "--follow")
    assert (again["status"], ended["value"]) == ("failed", [2, 4, 6])
    assert "is done; nothing changes" in powerloop("workflow", "resume", run_id, **staffed).stdout


def test_a_question_of_a_run_is_answered_from_the_inbox(
    powerloop, staffed, begun, worked, eventually_blocking
):
    human = {"type": "human", "id": "ask", "prompt": "Which one?"}
    run_id = begun("asking", human, path="root.steps[0]", status="running")
    [told] = re.findall(r"(inbox list --send \S+)", powerloop("workflow", "show", run_id, **staffed).stdout)

    def asked():
        return powerloop(*told.split(), "--json", **staffed).stdout

    question = eventually_blocking(lambda: asyncio.to_thread(asked), "a person is asked", within=30)
    powerloop("inbox", "answer", json.loads(question)["id"], "--value", "the red one", **staffed)
    assert worked("show", run_id, "--follow")[-1]["value"] == "the red one"


def test_a_signal_is_told_once_per_key(powerloop, staffed, begun, worked):
    run_id = begun("told", GO, GO | {"id": "again"}, path="root.steps[0]", status="running")
    said = ("signal", run_id, "go", "--payload", '{"n": 1}', "--key", "k")
    assert [worked(*said)[0]["is_new"] for _ in range(2)] == [True, False]
    worked("signal", run_id, "go", "--payload", "2")
    *changes, ended = worked("show", run_id, "--follow")
    assert ended["value"] == 2
    assert next(one for one in changes if one["path"] == "root.steps[0]")["value"] == {"n": 1}
    late = powerloop("workflow", "signal", run_id, "go", **staffed)
    assert (late.returncode, "has ended: it is done" in late.stderr) == (2, True)


def test_a_cancelled_run_says_so_and_goes_on_when_it_is_resumed(powerloop, staffed, begun, worked):
    run_id = begun("cut", FIRST, GO, path="root.steps[1]", status="running")
    said = powerloop("workflow", "cancel", run_id, "--reason", "twice", **staffed)
    assert f"{run_id} ends as soon as" in said.stdout
    followed = powerloop("workflow", "show", run_id, "--follow", **staffed)
    assert (followed.returncode, "cancelled: twice" in followed.stderr) == (1, True)
    assert "had ended" in powerloop("workflow", "cancel", run_id, **staffed).stdout
    worked("resume", run_id)
    worked("signal", run_id, "go", "--payload", '"gone"')
    *changes, ended = worked("show", run_id, "--follow")
    assert (ended["status"], ended["value"]) == ("done", "gone")
    assert next(one for one in changes if one["path"] == "root.steps[0]")["attempt"] == 1


def test_a_paused_run_is_shown_as_such_until_it_is_resumed(powerloop, staffed, begun, worked):
    run_id = begun("held", GO, path="root.steps[0]", status="running")
    assert worked("pause", run_id)[0]["paused_at"] is not None
    assert f"held  {run_id}  open  paused" in powerloop("workflow", "show", run_id, **staffed).stdout
    assert " paused " in powerloop("workflow", "list", "--name", "held", **staffed).stdout
    worked("signal", run_id, "go")
    assert worked("resume", run_id)[0]["paused_at"] is None
    assert worked("show", run_id, "--follow")[-1]["status"] == "done"


def test_an_open_node_is_passed_over(begun, worked):
    run_id = begun("passed", GO, path="root.steps[0]", status="running")
    worked("skip", run_id, "root.steps[0]", "--value", '"by hand"')
    assert worked("show", run_id, "--follow")[-1]["value"] == "by hand"
