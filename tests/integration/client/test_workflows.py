"""Workflows through the face of the library, in one process: written by people, and by models."""

import asyncio
from typing import Any

import pytest

from powerloop import Agent, AsyncPowerLoop, PowerLoop, ToolError, tool
from powerloop.kernel.errors import (
    InvalidInput,
    RunAlive,
    RunNotFound,
    SessionNotFound,
    WorkflowInvalid,
)
from powerloop.llm.script import Script, ScriptedCall, Turn
from powerloop.workflow import create_workflow, workflow_status

broken = {"left": 0}


@tool(effect="read")
async def double(number: float) -> float:
    """Double a number."""
    return 2 * number


@tool(effect="read")
async def fragile() -> dict[str, Any]:
    """Fail as often as it was told to."""
    if broken["left"]:
        broken["left"] -= 1
        raise ToolError("It broke.")
    return {"text": "x" * 30_000}


calc = Agent(name="calc", model="scripted:echo", tools=[double, fragile])
PAIR = {
    "name": "pair",
    "root": {
        "type": "parallel",
        "branches": [
            {"type": "agent", "id": "x", "agent": "calc", "input": "{{input}}"},
            {"type": "tool", "id": "y", "agent": "calc", "tool": "double", "arguments": {"number": 21}},
        ],
    },
}
FRAGILE = {"type": "tool", "id": "f", "agent": "calc", "tool": "fragile"}


def scripted(*turns: Turn) -> Script:
    return Script(turns=turns, otherwise=Turn(text="heard $input"))


def writer(mode: str) -> Script:
    call = ScriptedCall(name="create_workflow", arguments={"workflow": PAIR, "input": "hi", "mode": mode})
    return scripted(Turn(calls=(call,)), Turn(text="got $result"))


boss = Agent(name="boss", model="scripted:boss", tools=[create_workflow([calc]), workflow_status()])


@pytest.fixture(params=["memory", "sqlite"])
async def loop(request, tmp_path):
    broken["left"] = 0
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    scripts = {"boss": writer("detach" if "detach" in request.node.name else "wait")}
    async with AsyncPowerLoop.local(path, agents=[boss], scripts=scripts) as loop:
        yield loop


async def test_a_run_comes_to_the_value_of_its_root(loop):
    run = await loop.start_workflow(PAIR, "hello")
    result = await run.result(timeout=20)
    assert result.ok
    assert result.value == {"x": "hello", "y": 42}
    assert (await run.run()).name == "pair"
    assert [one.id for one in await loop.list_runs()] == [run.id]
    tree = await (await loop.get_run(run.id)).tree()
    assert [node.node.path for _, node in tree.walk()] == ["root", "root.branches[0]", "root.branches[1]"]


async def test_the_same_key_is_the_same_run(loop):
    first = await loop.start_workflow(PAIR, "a", idempotency_key="k")
    second = await loop.start_workflow(PAIR, "b", idempotency_key="k")
    assert first.id == second.id
    assert (await second.result(timeout=20)).value["x"] == "a"
    assert len(await loop.list_runs()) == 1


async def test_what_is_wrong_is_told_and_nothing_is_started(loop):
    with pytest.raises(WorkflowInvalid, match="calk"):
        await loop.start_workflow({"name": "w", "root": {"type": "agent", "id": "a", "agent": "calk"}})
    with pytest.raises(SessionNotFound):
        await loop.start_workflow(PAIR, session_id="nobody")
    with pytest.raises(InvalidInput):
        await loop.start_workflow(PAIR, priority=10)
    with pytest.raises(RunNotFound):
        await loop.get_run("no-run")
    assert await loop.list_runs() == []


async def test_a_result_is_not_cut_however_long_it_is(loop):
    run = await loop.start_workflow({"name": "long", "root": FRAGILE})
    assert (await run.result(timeout=20)).value == {"text": "x" * 30_000}


async def test_a_run_that_has_failed_goes_on_once_it_is_mended(loop):
    broken["left"] = 1
    steps = [PAIR["root"] | {"id": "p"}, FRAGILE]
    run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": steps}}, "hi")
    result = await run.result(timeout=20)
    assert (result.status, result.error.code) == ("failed", "tool.failed")
    assert "It broke." in result.error.message
    await loop.resume_run(run.id)
    assert (await run.result(timeout=20)).ok
    attempts = [(node.path, node.attempt) async for node in run.events()]
    assert ("root.steps[1]", 2) in attempts
    assert ("root.steps[0].branches[0]", 2) not in attempts
    await loop.resume_run(run.id)
    assert (await run.result(timeout=20)).ok


async def test_a_node_is_retried_or_passed_over_by_a_person(loop):
    broken["left"] = 2
    run = await loop.start_workflow({"name": "w", "root": FRAGILE})
    assert not (await run.result(timeout=20)).ok
    await loop.retry_node(run.id, "root")
    assert not (await run.result(timeout=20)).ok
    with pytest.raises(InvalidInput, match="no node"):
        await loop.retry_node(run.id, "root.steps[0]")
    await loop.skip_node(run.id, "root", {"text": "by hand"})
    assert (await run.result(timeout=20)).value == {"text": "by hand"}


async def test_a_signal_and_a_cancel_reach_a_run_that_waits(loop, eventually):
    wait = {"name": "w", "root": {"type": "wait", "signal": "go"}}
    run, other = await loop.start_workflow(wait), await loop.start_workflow(wait)
    await eventually(run.run, "it has begun")
    await eventually(other.run, "it has begun")
    with pytest.raises(RunAlive):
        await loop.retry_node(run.id, "root")
    assert await run.signal("go", {"by": "hand"})
    assert (await run.result(timeout=20)).value == {"by": "hand"}
    await other.cancel("enough")
    result = await other.result(timeout=20)
    assert (result.status, result.error.message) == ("cancelled", "enough")


async def test_a_person_answers_in_the_middle_of_a_run(loop, eventually):
    ask = {"type": "human", "id": "ask", "prompt": "Which of {{input}}?", "choices": ["a", "b"]}
    after = {"type": "agent", "id": "say", "agent": "calc", "input": "chosen: {{ask}}"}
    run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": [ask, after]}}, "two")
    (question,) = await eventually(loop.interactions, "somebody is asked")
    assert question.prompt == "Which of two?"
    await loop.answer(question.id, "b")
    assert (await run.result(timeout=20)).value == "chosen: b"


async def test_a_pause_keeps_what_follows_from_beginning(loop, eventually):
    steps = [{"type": "wait", "signal": "go"}, {"type": "agent", "id": "a", "agent": "calc", "input": "x"}]
    run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": steps}})
    await eventually(run.tree, "it has begun")
    assert (await loop.pause_run(run.id)).paused_at is not None
    await run.signal("go")
    await asyncio.sleep(0.05)
    assert (await run.tree()).node.ended == 0
    await loop.resume_run(run.id)
    assert (await run.result(timeout=20)).value == "x"


async def test_a_model_waits_for_the_workflow_that_it_writes(loop):
    session = await loop.create_session("boss")
    send = await loop.send(session.id, "go")
    assert (await send.result(timeout=20)).text == 'got {"x":"hi","y":42.0}'


async def test_a_model_that_has_detached_a_workflow_is_told_of_its_end_once(loop, eventually):
    session = await loop.create_session("boss")
    send = await loop.send(session.id, "go")
    assert "Started as session" in (await send.result(timeout=20)).text

    async def told():
        return [one for one in await loop.list_sends(session_id=session.id) if one.id != send.id]

    (report,) = await eventually(told, "it is told")
    assert '"y":42' in report.content[0].text


async def test_a_session_is_told_of_the_end_of_a_run_that_belongs_to_it(loop, eventually):
    session = await loop.create_session("calc")
    run = await loop.start_workflow(PAIR, "hi", session_id=session.id)
    assert (await run.result(timeout=20)).ok

    async def told():
        return await loop.list_sends(session_id=session.id, status="completed")

    (report,) = await eventually(told, "it is told")
    assert report.content[0].text.startswith(f"[The workflow pair, run {run.id}]")


def test_the_blocking_face_runs_workflows_too():
    with PowerLoop.local(":memory:", agents=[calc]) as loop:
        run = loop.start_workflow(PAIR, "hi")
        assert run.result(timeout=20).value == {"x": "hi", "y": 42.0}
        assert loop.get_run(run.id).id == run.id
        assert [one.id for one in loop.list_runs()] == [run.id]
        assert run.tree().node.path == "root"


async def test_a_run_fails_when_its_time_is_over(loop):
    root = {"type": "sequence", "steps": [PAIR["root"], {"type": "wait", "seconds": 60.0}]}
    run = await loop.start_workflow({"name": "w", "root": root, "deadline_s": 0.5}, "hi")
    result = await run.result(timeout=20)
    assert (result.status, result.error.code) == ("failed", "budget.budget")
    assert {node.node.status for _, node in (await run.tree()).walk()} == {"done", "cancelled"}
