"""The workflow of the examples: it is valid, and runs offline to the same report each time."""

import subprocess
import sys
from pathlib import Path

import pytest

from powerloop import AsyncPowerLoop
from powerloop.cli.workflow_scene import RESEARCH
from powerloop.client.app import load_app
from powerloop.workflow import WorkflowSpec, dry_run
from powerloop.workflow.checks import tools_of

ROOT = Path(__file__).parents[3]
WORKFLOW = (ROOT / "examples/research.json").read_text()

PARTS = ("the origin of {}", "the making of {}", "the trade in {}", "the price of {}", "the future of {}")


def report(subject: str, noun: str) -> str:
    """What it comes to, where the topics are about the noun."""
    found = [f'"On {part.format(noun)}: two sources agree, and a third one doubts it."' for part in PARTS]
    return f"A report on {subject}. {', '.join(found)}"


@pytest.fixture
def app(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return load_app("examples.research")


def test_it_is_valid_for_its_agents_and_can_be_walked(app):
    spec = WorkflowSpec.parse(WORKFLOW, agents=tools_of(app.agents))
    run = dry_run(spec, "tea")
    assert run.outcome is not None
    assert (run.outcome.is_well, run.leaves) == (True, 4)


def test_the_demo_runs_the_same_workflow():
    assert WorkflowSpec.parse(RESEARCH) == WorkflowSpec.parse(WORKFLOW)


@pytest.mark.parametrize(
    ("subject", "noun"), [("green tea", "green tea"), ("U.S. trade", "U.S. trade"), ('a "quote"', "it")]
)
async def test_it_runs_to_its_report_whatever_it_is_about(app, subject, noun):
    async with AsyncPowerLoop.local(":memory:", agents=app.agents, scripts=app.scripts) as loop:
        run = await loop.start_workflow(WORKFLOW, subject)
        result = await run.result(timeout=30)
    assert (result.error, result.value) == (None, report(subject, noun))


def test_as_a_program_it_prints_its_report():
    command = [sys.executable, "-m", "examples.research", "tea"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, report("tea", "tea"), "")
