"""The workflow of ``powerloop demo``: two workers share its leaves, and what is shown is what happened."""

import re
from io import StringIO

import pytest
from rich.console import Console

from powerloop.cli import sample_agents, workflow_scene
from powerloop.cli.fleet import WorkerOptions, worker
from powerloop.cli.workflow_scene import RESEARCH, workflow
from powerloop.client.loop import AsyncPowerLoop
from powerloop.embedded import FileLines, ProcessGroup
from powerloop.kernel.errors import DemoFailed
from powerloop.settings import read_settings

pytestmark = pytest.mark.integration

CREW = [sample_agents.planner, sample_agents.researcher, sample_agents.writer]


@pytest.fixture
async def local():
    async with AsyncPowerLoop.local(":memory:", agents=CREW) as loop:
        yield loop


@pytest.fixture
def settings(migrated_postgres_url, redis_url):
    return read_settings(
        discover=False,
        database_url=migrated_postgres_url,
        redis_url=redis_url,
        app="powerloop.cli.sample_agents",
        drain_timeout=2.0,
    )


@pytest.fixture
def workers(settings, tmp_path):
    """The names of the workers that run, by their process ids."""
    with ProcessGroup(FileLines(tmp_path)) as group:
        for number in (1, 2):
            group.start(worker(number, settings, WorkerOptions(), restart=False))
        yield {str(pid): name for name, pid in group.pids().items()}


def printed_to(output: StringIO) -> Console:
    return Console(file=output, width=200, highlight=False)


async def test_two_workers_share_its_leaves_and_it_is_shown_which_ran_which(
    settings, workers, tmp_path, eventually
):
    logs = [tmp_path / f"{name}.log" for name in workers.values()]

    def ready():
        return all(log.exists() and " ready." in log.read_text() for log in logs)

    await eventually(ready, "both workers take sends", within=60)
    output = StringIO()
    async with AsyncPowerLoop.from_env(settings) as loop:
        played = await workflow(loop, printed_to(output))
    ran = {item.send.id: item.send.owner.split(":")[1] for item in played}
    assert set(ran.values()) == set(workers)
    shown = output.getvalue()
    assert re.search(r"✓ foreach findings  5/5 ", shown)
    assert "A report on tea." in shown
    rows = re.findall(r"^ +(plan|the \w+ \w+ tea|report) +(\d+) +[\d.]+ s *$", shown, re.MULTILINE)
    assert [pid for _, pid in rows] == list(ran.values())
    assert re.search(r"7 in all +2 took part", shown)


async def test_the_demo_fails_where_one_worker_ran_all_of_it(local, monkeypatch):
    monkeypatch.setattr(workflow_scene, "_PATIENCE", 1)
    with pytest.raises(DemoFailed, match="by the same worker"):
        await workflow(local, Console(quiet=True))


async def test_the_demo_fails_where_the_workflow_does(local, monkeypatch):
    broken = {**RESEARCH, "root": {"type": "wait", "seconds": 9, "timeout_s": 0.1}}
    monkeypatch.setattr(workflow_scene, "RESEARCH", broken)
    with pytest.raises(DemoFailed, match="did not complete"):
        await workflow(local, Console(quiet=True))
