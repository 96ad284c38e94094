"""Workflows whose workers are killed: what is done is not done again, and every join fires once."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from powerloop import ResultTimeout
from powerloop.kernel.crash_points import CrashPoint
from powerloop.testing.wire import WireProcess
from powerloop.workflow import WorkflowSpec
from tests.acceptance.crew import Crew
from tests.unit.workflow.programs import FAILED, Programs, interpret

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

APP = '''
from powerloop import Agent, tool

@tool(effect="read")
async def add(numbers: list[object]) -> float:
    """Add up every number."""
    def total(value):
        if isinstance(value, dict):
            return sum(map(total, value.values()))
        if isinstance(value, list):
            return sum(map(total, value))
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    return total(numbers)

reader = Agent(name="reader", model="openai:gpt-test", instructions="Read.", tools=[add])
'''

#: The leaves of generated programs: they add numbers, and some fail so many times.
PROGRAM_APP = '''
from powerloop import Agent, ToolContext, tool
from powerloop.kernel.errors import ToolError
from tests.unit.workflow.programs import total

@tool(name="add", effect="read")
async def add(context: ToolContext, numbers: list[object], fails: object = 0) -> float:
    """Add up every number, unless this attempt is to fail."""
    if int(context.metadata["workflow_attempt"]) <= total(fails):
        raise ToolError("This attempt fails.")
    return total(numbers)

adder = Agent(name="adder", model="scripted:echo", tools=[add])
'''

ROOT = Path(__file__).parents[2]
PROGRAMS = 200
KILLS = 8
LEAVES = 60
SHORT = {"POWERLOOP_LEASE_TTL": "2", "POWERLOOP_LOCK_TTL": "2"}


def fan_out(count, **more):
    """So many readers, then a sum of what they said."""
    body = {"type": "agent", "id": "read", "agent": "reader", "input": "Read page {{page}}."}
    pages = {
        "type": "foreach",
        "id": "pages",
        "as": "page",
        "items": list(range(count)),
        "body": body,
        **more,
    }
    return {"name": "book", "root": pages}


def reads(wire):
    """How often each page was read."""
    return Counter(request.last_input for request in wire.requests())


@pytest.mark.takes("machine")
async def test_a_worker_that_is_killed_in_a_fan_out_costs_no_iteration_that_is_done(loop, system, eventually):
    with WireProcess(latency=timedelta(milliseconds=400)) as wire:
        system.add_app("wf_agents", APP)
        told = {**wire.environ, "POWERLOOP_APP": "wf_agents", **SHORT}
        first, second = system.start_worker(**told), system.start_worker(**told)
        system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
        run = await loop.start_workflow(fan_out(LEAVES, max_concurrency=12))

        async def half_done():
            tree = await run.tree()
            return tree is not None and tree.node.ended >= LEAVES // 3

        await eventually(half_done, "a third is done", within=40)
        done = {node.node.send_id for _, node in (await run.tree()).walk() if node.node.status == "done"}
        first.kill()
        result = await run.result(timeout=60)
        assert result.ok
        assert len(result.value) == LEAVES
        tree = await run.tree()
        assert (tree.node.begun, tree.node.ended, tree.node.done) == (LEAVES, LEAVES, LEAVES)
        again = {text for text, count in reads(wire).items() if count > 1}
        inputs = {send.id: send.content[0].text for send in await loop.list_sends(agent="reader", limit=1000)}
        assert not {inputs[send_id] for send_id in done} & again, "what was done is read again"
        assert len(again) <= 12
        assert second.is_alive


@pytest.mark.takes("machine")
async def test_beat_and_a_worker_may_die_at_any_time(loop, system):
    chance = random.Random(4)
    with WireProcess(latency=timedelta(milliseconds=150)) as wire:
        system.add_app("wf_agents", APP)
        told = {**wire.environ, "POWERLOOP_APP": "wf_agents", **SHORT}
        workers = [system.start_worker(**told), system.start_worker(**told)]
        spare = [system.start_worker(ready=False, **told) for _ in range(2)]
        beat = system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
        inner = {"type": "parallel", "branches": [fan_out(4)["root"] | {"id": "one"}, _reader("two")]}
        outer = {"type": "foreach", "id": "books", "as": "book", "items": list(range(12)), "body": inner}
        outer["body"]["branches"][0]["body"]["id"] = "deep"
        run = await loop.start_workflow({"name": "shelf", "root": {**outer, "max_concurrency": 4}})
        kills = 0
        while kills < 10 and not (await loop.get_send(run.id)).send.status.is_final:
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            number = chance.choice((0, 1, 2))
            if number == 2:
                beat.kill()
                beat = system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
            elif workers[number].is_alive:
                workers[number].kill()
                workers[number] = spare.pop(0)
                spare.append(system.start_worker(ready=False, **told))
            kills += 1
        result = await run.result(timeout=120)
        assert result.ok, result
        assert [sorted(one) for one in result.value] == [["one", "two"]] * 12
        assert all(len(one["one"]) == 4 for one in result.value)
        assert kills >= 5


def _reader(name):
    return {"type": "agent", "id": name, "agent": "reader", "input": "Read {{book}}."}


#: In the order in which a leaf, and the run after it, pass them.
POINTS = (
    CrashPoint.AFTER_CLAIM,
    CrashPoint.AFTER_MODEL,
    CrashPoint.BEFORE_FINISH,
    CrashPoint.AFTER_FINISH,
    CrashPoint.BEFORE_ADVANCE,
    CrashPoint.AFTER_ADVANCE,
    CrashPoint.AFTER_ADVANCE_PUBLISH,
    CrashPoint.AFTER_PUBLISH,
)


@pytest.mark.takes("crash points")
async def test_a_kill_at_any_boundary_of_a_leaf_fires_each_join_once(loop, system, eventually):
    with WireProcess() as wire:
        system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
        crew = Crew(system, APP, wire.environ)
        for point in POINTS:
            crew.order(point)
            await crew.under_orders(eventually)
            wire.reset()
            steps = [fan_out(3)["root"], {**_reader("last"), "input": "Read {{pages[2]}}."}]
            run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": steps}})
            await crew.died(eventually)
            crew.advance()
            result = await run.result(timeout=60)
            assert result.ok, (point, result)
            nodes = {node.node.path: node.node for _, node in (await run.tree()).walk()}
            pages = nodes["root.steps[0]"]
            assert (pages.total, pages.begun, pages.ended, pages.done) == (3, 3, 3, 3), point
            assert len(nodes) == 6, point
            assert reads(wire)["Read page 0."] <= 2, point
            last = await loop.get_send(nodes["root.steps[1]"].send_id)
            assert last.send.status == "completed", point


@pytest.mark.takes("crash points")
@pytest.mark.timeout(600)
async def test_two_hundred_programs_come_to_what_arithmetic_says_whoever_dies(loop, system):
    system.add_app("wf_agents", PROGRAM_APP)
    told = {"POWERLOOP_APP": "wf_agents", "PYTHONPATH": str(ROOT), **SHORT}
    workers = [system.start_worker(concurrency=20, **told) for _ in range(2)]
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    at_once, results = asyncio.Semaphore(20), {}

    async def ran(number):
        program = Programs(random.Random(f"killed/{number}"), backoff_s=0.0, depth=3).make()
        async with at_once:
            run = await loop.start_workflow(program)
            results[number] = interpret(WorkflowSpec.parse(program)), await _ended(loop, run)

    killing = asyncio.create_task(_kill_now_and_then(system, workers, results, told))
    try:
        await asyncio.gather(*map(ran, range(PROGRAMS)))
    finally:
        killing.cancel()
    wrong = [
        (number, result)
        for number, (value, result) in sorted(results.items())
        if not (result.error if value is FAILED else result.ok and result.value == value)
    ]
    assert not wrong
    assert len(system.processes) - 3 >= KILLS


async def _ended(loop, run):
    """How the run ended; where it has not, where it stands."""
    try:
        return await run.result(timeout=240)
    except ResultTimeout:
        nodes = await loop._backend.store.workflows.nodes(run.id)
        stands = [(node.path, str(node.status), node.id) for node in nodes if not node.status.is_final]
        sends = [(await loop.get_send(node_id)).send for _, status, node_id in stands if status == "running"]
        pytest.fail(f"{run.id} stands at {stands}, {sends}")


async def _kill_now_and_then(system, workers, results, told):
    """Kill one of the workers, at a random moment, each time that some more programs have ended."""
    chance = random.Random(11)
    for number in range(KILLS):
        while len(results) < (number + 1) * PROGRAMS // (KILLS + 2):
            await asyncio.sleep(0.05)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        victim = chance.randrange(2)
        workers[victim].kill()
        workers[victim] = await asyncio.to_thread(system.start_worker, concurrency=20, **told)
