"""A model that writes a workflow, is told what is wrong with it, and mends it."""

import re
from typing import Any

import pytest

from powerloop import Agent, AsyncPowerLoop, ToolResultBlock
from powerloop.llm.script import Rule, Script, ScriptedCall, Turn
from powerloop.workflow import check_workflow

PLANNER = Agent(name="planner", model="scripted:echo")
WRITER = Agent(name="writer", model="scripted:echo")


def agent(id: str, **more: Any) -> dict[str, Any]:
    return {"type": "agent", "id": id, "agent": "planner", **more}


FAULTY = {
    "name": "research",
    "root": {
        "type": "sequence",
        "steps": [
            agent("plan", input="{{topic}}", inputs_from=["later"]),
            agent("plan", agent="planer"),
            {"type": "paralel", "branches": []},
            {
                "type": "parallel",
                "branches": [agent("a"), agent("b", inputs_from=["a"])],
                "max_concurrency": 0,
                "join": {"quorum": 3},
            },
            {
                "type": "branch",
                "on": "one",
                "cases": [{"eq": True, "then": {"type": "wait", "seconds": "5"}}],
            },
            agent("later", output_schema={"type": "objct"}, when={"ref": "plan", "equals": 1}),
        ],
    },
}
PLACES = {
    "root.steps[0].input",
    "root.steps[0].inputs_from[0]",
    "root.steps[1].id",
    "root.steps[1].agent",
    "root.steps[2].type",
    "root.steps[3].max_concurrency",
    "root.steps[3].join.quorum",
    "root.steps[3].branches[1].inputs_from[0]",
    "root.steps[4].on",
    "root.steps[4].cases[0].then.seconds",
    "root.steps[5].output_schema.type",
    "root.steps[5].when.equals",
}
HALF_MENDED = {
    "name": "research",
    "root": {
        "type": "sequence",
        "steps": [agent("plan", input="{{input}}"), agent("write", agent="writer", inputs_from=["plans"])],
    },
}
MENDED = {
    "name": "research",
    "root": {
        "type": "sequence",
        "steps": [agent("plan", input="{{input}}"), agent("write", agent="writer", inputs_from=["plan"])],
    },
}


def checking(workflow: dict[str, Any], **more: Any) -> Turn:
    return Turn(calls=(ScriptedCall(name="check_workflow", arguments={"workflow": workflow, **more}),))


AUTHOR = Agent(name="author", model="scripted:author", tools=[check_workflow([PLANNER, WRITER])])
REPAIRING = Script(
    rules=(
        Rule(
            pattern="research",
            tool="check_workflow",
            turns=(
                checking(FAULTY),
                checking(HALF_MENDED),
                checking(MENDED, input="cats"),
                Turn(text="It is valid: $result"),
            ),
        ),
    )
)


@pytest.fixture
async def told():
    """The results that the model saw, and its last answer."""
    async with AsyncPowerLoop.local(":memory:", agents=[AUTHOR], scripts={"author": REPAIRING}) as loop:
        session = await loop.create_session("author")
        result = await (await loop.send(session.id, "Write a research workflow.")).result(timeout=30)
        blocks = [block for message in await loop.messages(session.id) for block in message.content]
    return [block for block in blocks if isinstance(block, ToolResultBlock)], result


async def test_a_model_is_told_every_problem_with_its_place_until_there_is_none(told):
    (first, second, third), result = told
    assert [one.is_error for one in (first, second, third)] == [True, True, False]
    assert "12 problems" in first.text
    assert set(re.findall(r"^- ([^:]+): ", first.text, re.MULTILINE)) == PLACES
    assert re.findall(r"^- ([^:]+): .*'plan'", second.text, re.MULTILINE) == ["root.steps[1].inputs_from[0]"]
    assert "did you mean 'planner'?" in first.text
    assert result.text.startswith("It is valid: The workflow 'research' is valid.")


async def test_a_model_sees_what_a_valid_workflow_would_run(told):
    (*_, last), _result = told
    heading, root, plan, write = last.text.splitlines()
    assert heading == "The workflow 'research' is valid. With stub answers, 2 of its leaves run:"
    assert (root, plan.split(":")[0], write.split(":")[0]) == (
        "sequence: done",
        "  agent plan",
        "  agent write",
    )
    assert "cats" in plan


def test_the_description_tells_how_workflows_are_written_and_which_agents_there_are():
    spec = check_workflow([PLANNER, WRITER]).spec
    assert '{"planner": [], "writer": []}' in spec.description
    assert "inputs_from" in spec.description
    assert "agents that there are" not in check_workflow().spec.description


async def test_any_agent_will_do_where_none_is_known():
    author = Agent(name="author", model="scripted:author", tools=[check_workflow()])
    spec = {"name": "w", "root": agent("one", agent="nobody")}
    script = Script(turns=(checking(spec), Turn(text="$result")))
    async with AsyncPowerLoop.local(":memory:", agents=[author], scripts={"author": script}) as loop:
        session = await loop.create_session("author")
        result = await (await loop.send(session.id, "Go.")).result(timeout=30)
    assert result.text.startswith("The workflow 'w' is valid.")
