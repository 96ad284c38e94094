"""Runs of workflows in every store: whatever order leaves end in, a run comes to what its spec says."""

import json
from random import Random
from typing import Any

import pytest

from powerloop.kernel.messages import text_of
from powerloop.kernel.sends import Send
from powerloop.kernel.workflows import RunStatus
from powerloop.workflow import WorkflowSpec
from tests.conformance.store.running import Runs
from tests.unit.workflow.programs import FAILED, Programs, add, interpret, written

PROGRAMS = {"memory": 60, "sqlite": 8, "postgres": 12, "portable": 6}


@pytest.fixture
def runs(desk) -> Runs:
    return Runs(desk)


async def test_random_programs_come_to_what_a_naive_interpreter_says(runs, store_kind):
    for number in range(PROGRAMS[store_kind]):
        random = Random(f"store/{number}")
        program = Programs(random, backoff_s=0.0).make()
        spec = WorkflowSpec.parse(program)
        expected, run = interpret(spec), await driven(runs, spec, random)
        if expected is FAILED:
            assert run.status is RunStatus.FAILED, written(program)
        else:
            assert (run.status, run.value) == (RunStatus.DONE, expected), written(program)


async def driven(runs: Runs, spec: WorkflowSpec, random: Random) -> Any:
    """Run it, its leaves ending in any order, several of them before anybody takes note."""
    run_id = await runs.start(spec)
    while (run := await runs.store.workflows.find(run_id)).status is RunStatus.OPEN:
        assert runs.open, "it stands still"
        some = random.sample(sorted(runs.open), random.randint(1, min(3, len(runs.open))))
        for send_id in some:
            send = runs.open[send_id]
            node = await runs.node(send_id, run_id)
            result = add(asked(send), node.attempt)
            await runs.end(send, None if result is None else str(result))
        await runs.advance(run_id)
        await runs.advance(run_id)
    assert not runs.open, "leaves run on"
    assert [send.id for send in runs.woken] == [run_id]
    nodes = await runs.store.workflows.nodes(run_id)
    assert all(node.status.is_final for node in nodes)
    return run


def asked(send: Send) -> dict[str, Any]:
    return json.loads(text_of(send.content))["arguments"]
