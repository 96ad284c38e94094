"""Workflows on one slot, on a budget, and cancelled in each of their states."""

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.estimate import estimate_usage
from powerloop.kernel.messages import user_message
from powerloop.kernel.ports.model import ModelRequest
from powerloop.testing.wire import Reply, WireProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

APP = '''
import os

from powerloop import Agent, ModelSettings, tool
from powerloop.llm.script import Script, ScriptedCall, Turn

@tool(effect="read")
async def look() -> str:
    """Say which process this is, and what it knows."""
    return f"{os.getpid()} {os.environ.get('SECRET', 'none')}"

spying = Script(turns=(Turn(calls=(ScriptedCall(name="look"),)), Turn(text="$result")))
spy = Agent(name="spy", model="scripted:spying", tools=[look])
echo = Agent(name="echo", model="scripted:echo")
slow = Agent(name="slow", model="openai:gpt-test")
thrifty = Agent(name="thrifty", model="openai:gpt-test", settings=ModelSettings(max_output_tokens=5))
'''


def say(name, text, **more):
    return {"type": "agent", "id": name, "agent": "echo", "input": text, **more}


async def test_one_slot_runs_a_nest_of_fan_outs_with_a_person_in_the_middle(loop, system, eventually):
    system.add_app("slots", APP)
    system.start_worker(concurrency=1, POWERLOOP_APP="slots")
    inner = {"type": "parallel", "id": "inner", "branches": [say("a", "{{i}}a"), say("b", "{{i}}b")]}
    each = {"type": "foreach", "id": "each", "as": "i", "items": [1, 2, 3], "body": inner}
    ask = {"type": "human", "id": "ask", "prompt": "Go on?", "choices": ["yes", "no"]}
    outer = {"type": "parallel", "id": "outer", "branches": [each, ask, say("c", "c")]}
    last = say("last", "{{outer.each[2].b}} {{outer.ask}}")
    run = await loop.start_workflow({"name": "nest", "root": {"type": "sequence", "steps": [outer, last]}})
    (question,) = await eventually(loop.interactions, "somebody is asked", within=30)

    async def others_are_done():
        tree = await run.tree()
        return tree is not None and tree.children[0].node.ended == 2

    await eventually(others_are_done, "all but the person have ended", within=60)
    answered = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "powerloop", "inbox", "answer", question.id, "--value", "yes"],
        env=system.environment(),
        cwd=system.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answered.returncode == 0, answered.stderr
    result = await run.result(timeout=60)
    assert result.value == "3b yes"


async def test_a_fan_out_stops_at_its_budget(loop, system):
    with WireProcess() as wire:
        text = "Say it, number 10."
        # What is estimated is what is used: no call uses more than was reserved for it.
        estimated = estimate_usage(ModelRequest(model="", system="", messages=[user_message(text)]), 0)
        usage = replace(estimated, output_tokens=5)
        wire.on(".", Reply(text="Said.", usage=usage))
        system.add_app("slots", APP)
        system.start_worker(POWERLOOP_APP="slots", **wire.environ)
        body = {
            "type": "agent",
            "id": "a",
            "agent": "thrifty",
            "input": "Say it, number {{i}}.",
            "on_error": "continue",
        }
        root = {"type": "foreach", "id": "f", "as": "i", "items": list(range(10, 60)), "body": body}
        each = usage.input_tokens + usage.output_tokens
        budget = {"total_tokens": 10 * each}
        run = await loop.start_workflow({"name": "w", "root": root, "budget": budget})
        result = await run.result(timeout=60)
        tree = await run.tree()
        used = sum(child.cost.input_tokens + child.cost.output_tokens for child in tree.children)
        done = [child for child in tree.children if child.node.status == "done"]
        failed = {child.node.code for child in tree.children if child.node.status == "failed"}
        assert result.ok
        assert 8 <= len(done) <= 11
        assert failed == {"budget.budget"}
        assert used <= 11 * each
        assert len(wire.requests()) <= 11


async def test_an_isolated_leaf_runs_in_a_process_of_its_own_that_sees_no_secrets(loop, system):
    system.add_app("slots", APP)
    worker = system.start_worker(POWERLOOP_APP="slots", SECRET="hush")
    leaf = {"type": "agent", "id": "spy", "agent": "spy", "input": "look"}
    branches = [{**leaf, "isolation": "process"}, {**leaf, "id": "open"}]
    run = await loop.start_workflow({"name": "w", "root": {"type": "parallel", "branches": branches}})
    result = await run.result(timeout=60)
    assert result.value["open"] == f"{worker.pid} hush"
    pid, secret = result.value["spy"].split(" ")
    assert (secret, pid == str(worker.pid)) == ("none", False)


STATES = {
    "a model call": {"type": "agent", "id": "a", "agent": "slow", "input": "x"},
    "a fan-out": {
        "type": "foreach",
        "id": "f",
        "as": "i",
        "items": list(range(20)),
        "max_concurrency": 5,
        "body": {"type": "agent", "id": "a", "agent": "slow", "input": "{{i}}"},
    },
    "a person": {"type": "human", "id": "h", "prompt": "?"},
    "a signal": {"type": "wait", "id": "s", "signal": "go"},
    "a time": {"type": "wait", "id": "t", "seconds": 3600.0},
}


async def test_a_cancel_in_any_state_ends_all_that_is_below(loop, system, eventually):
    with WireProcess() as wire:
        wire.on(".", Reply(text="late", delay=timedelta(seconds=60)))
        system.add_app("slots", APP)
        system.start_worker(POWERLOOP_APP="slots", **wire.environ)
        system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
        for state, root in STATES.items():
            run = await loop.start_workflow({"name": "w", "root": root})

            async def stands(run=run, root=root):
                tree = await run.tree()
                if tree is None:
                    return False
                nodes = [one.node for _, one in tree.walk()]
                sends = [await loop.get_send(one.send_id) for one in nodes if one.send_id]
                return all(one.send.status in ("running", "waiting") for one in sends)

            await eventually(stands, f"it stands at {state}", within=30)
            before = time.monotonic()
            await run.cancel("enough")
            result = await run.result(timeout=30)
            assert result.status == "cancelled", state
            assert result.error.message == "enough", state
            nodes = [one.node for _, one in (await run.tree()).walk()]
            assert {one.status for one in nodes} == {"cancelled"}, state

            async def over(nodes=nodes):
                sends = [await loop.get_send(one.send_id) for one in nodes if one.send_id]
                return all(one.send.status.is_final for one in sends)

            await eventually(over, f"every leaf of {state} has ended", within=20)
            sys.stdout.write(f"{state}: all over after {time.monotonic() - before:.2f} s\n")
