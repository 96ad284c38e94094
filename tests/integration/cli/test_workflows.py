"""``powerloop workflow``: what it says of workflows, without any service."""

import json

import pytest

VALID = {"name": "w", "root": {"type": "agent", "id": "a", "agent": "echo"}}
INVALID = {"name": "w", "root": {"type": "agent", "id": "a", "agnt": "echo", "input": "{{b}}"}}


@pytest.fixture
def written(tmp_path):
    """The name of a file with that workflow."""

    def write(value):
        file = tmp_path / "workflow.json"
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(file)

    return write


def test_a_valid_workflow_is_said_to_be(powerloop, written):
    done = powerloop("workflow", "check", written(VALID))
    assert (done.returncode, done.stdout.strip()) == (0, "The workflow 'w' is valid.")


def test_all_problems_of_a_workflow_are_told(powerloop, written):
    done = powerloop("workflow", "check", written(INVALID), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["valid"] is False
    places = {problem.split(":")[0] for problem in told["problems"]}
    assert places == {"root.agnt", "root.agent", "root.input"}


def test_agents_are_looked_up_where_an_app_is_named(powerloop, written, tmp_path):
    app = "from powerloop import Agent\nsupport = Agent(name='support', model='scripted:echo')\n"
    (tmp_path / "workflow_agents.py").write_text(app)
    spec = {"name": "w", "root": {"type": "agent", "id": "a", "agent": "suport"}}
    done = powerloop("workflow", "check", written(spec), "--app", "workflow_agents")
    assert done.returncode == 1
    assert "did you mean 'support'?" in done.stdout


def test_what_is_no_json_or_no_file_is_told(powerloop, written):
    assert "is no JSON" in powerloop("workflow", "check", written("{")).stdout
    missing = powerloop("workflow", "check", "nowhere.json")
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)


def test_a_workflow_is_walked_without_models(powerloop, written):
    done = powerloop("workflow", "dry-run", written(VALID), "--input", "cats")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["agent a: done  echo ← cats", "Leaves that ran: 1."],
    )
    as_json = powerloop("workflow", "dry-run", written(VALID), "--input", "cats", "--json")
    assert json.loads(as_json.stdout)["outcome"]["status"] == "done"


def test_a_workflow_that_would_fail_is_said_to(powerloop, written):
    body = {"type": "wait", "seconds": 1}
    spec = {"name": "w", "root": {"type": "foreach", "as": "i", "items_from": "input", "body": body}}
    done = powerloop("workflow", "dry-run", written(spec), "--input", "no list")
    assert done.returncode == 1
    assert "workflow.no_list" in done.stdout


def test_the_schema_and_the_guide_are_printed(powerloop):
    assert json.loads(powerloop("workflow", "schema").stdout)["required"] == ["name", "root"]
    assert "| `foreach` |" in powerloop("workflow", "guide").stdout
