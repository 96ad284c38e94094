"""The tool by which a model starts agents, those that it names and those that it describes."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.subagents import narrowed
from powerloop.kernel.waits import Spawn, SpawnMode, ToolWait
from powerloop.testing.factories import make_call, make_send
from powerloop.tools import AgentSpec, spawn_agent, tool


@tool(effect="read")
async def look(query: str) -> str:
    """Look it up."""
    return query


@tool(effect="read")
async def read(page: str) -> str:
    """Read it."""
    return page


writer = Agent(name="writer", model="scripted:x", tools=[look, read])
spawning = spawn_agent([writer, "critic"])


def lead(*tools, **changes):
    return Agent(name="lead", model="scripted:x", tools=tools or (look, read, spawning), **changes)


@pytest.fixture
def spawn(toolbox):
    """``await spawn(agent="writer", …)``: what the call waits for, or the problems that the model is told."""

    async def spawn(*, by=None, within=None, **arguments):
        call = replace(make_call(name="spawn_agent"), arguments=arguments)
        came_to = await toolbox.call(by or lead(), within or make_send(), call)
        if isinstance(came_to, ToolWait):
            return came_to.wait
        assert came_to.status is CallStatus.FAILED
        return [line.removeprefix("- ") for line in came_to.text.splitlines() if line.startswith("- ")]

    return spawn


@pytest.mark.parametrize("name", ["writer", "critic"])
async def test_a_model_starts_an_agent_by_its_name(spawn, name):
    assert await spawn(agent=name, input="Go.") == Spawn(
        agent=name,
        content=(TextBlock(text="Go."),),
        spec=None,
        mode=SpawnMode.WAIT,
        lifecycle=Lifecycle.LINKED,
    )


async def test_a_model_may_go_on_and_choose_what_binds_the_agent_to_it(spawn):
    wait = await spawn(agent="writer", input="Go.", mode="detach", lifecycle="detached", spec=None)

    assert (wait.mode, wait.lifecycle) == (SpawnMode.DETACH, Lifecycle.DETACHED)


async def test_an_agent_that_is_named_may_get_fewer_tools(spawn):
    wait = await spawn(agent="writer", input="Go.", tools=["read"])

    child = replace(make_send(), agent=wait.agent, spec=wait.spec)
    assert narrowed(AgentRegistry([lead()]), child).tools == (read,)


async def test_a_model_describes_an_agent(spawn):
    spec = {"name": "helper", "instructions": "Be brief.", "tools": ["look"], "max_rounds": 3, "model": "a:b"}

    wait = await spawn(input="Go.", spec=spec)

    assert (wait.agent, wait.lifecycle) == ("helper", Lifecycle.EPHEMERAL)
    child = narrowed(AgentRegistry([lead()]), replace(make_send(), agent=wait.agent, spec=wait.spec))
    assert (child.name, child.instructions, child.tools) == ("helper", "Be brief.", (look,))
    assert (child.max_rounds, child.model) == (3, "a:b")


async def test_what_a_description_leaves_out_is_the_callers(spawn):
    wait = await spawn(input="Go.", spec={"name": "helper", "model": None})

    caller = lead(instructions="Lead.")
    child = narrowed(AgentRegistry([caller]), replace(make_send(), agent=wait.agent, spec=wait.spec))
    assert child == replace(caller, name="helper")


async def test_an_agent_that_was_described_passes_on_no_more_than_it_has(spawn):
    registry = AgentRegistry([lead()])
    spec = {"base": "lead", "instructions": "Help.", "tools": ["look", "spawn_agent"], "max_rounds": 3}
    send = replace(make_send(), agent="helper", spec=spec)
    helper = narrowed(registry, send)

    wait = await spawn(by=helper, within=send, input="Go.", spec={"name": "third", "max_rounds": 9})
    refused = await spawn(by=helper, within=send, input="Go.", spec={"name": "third", "tools": ["read"]})

    third = narrowed(registry, replace(make_send(), agent=wait.agent, spec=wait.spec))
    assert (third.name, third.instructions, third.max_rounds) == ("third", "Help.", 3)
    assert third.tools == helper.tools
    assert refused == ['spec.tools[0] is no tool of yours, "read"; the tools are: look, spawn_agent']


async def test_everything_wrong_is_told_at_once_with_its_place(spawn):
    problems = await spawn(
        agent="writr",
        input="",
        mode="later",
        colour="red",
        spec={"nam": 1, "model": "gpt", "max_rounds": 0, "tools": ["loook"]},
    )

    assert sorted(problems) == [
        'agent should be one of "writer", "critic", not "writr"; did you mean \'writer\'?',
        "colour is not an argument of this tool",
        'input is wrong: "" should be non-empty',
        'mode should be one of "wait", "detach", not "later"',
        "spec is one too many: name an agent, or describe one, not both",
        "spec.max_rounds is wrong: 0 is less than the minimum of 1",
        'spec.model is wrong: a model is given as provider:model, such as openai:gpt-4o-mini, not "gpt"',
        "spec.nam is not known here; did you mean 'name'?",
        "spec.name is missing",
        "spec.tools[0] is no tool of yours, \"loook\"; did you mean 'look'?",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "agent is missing: name one of writer, critic, or describe one in spec"),
        (
            {"agent": "writer", "tools": ["write"]},
            'tools[0] is no tool of writer, "write"; the tools are: look, read',
        ),
        (
            {"spec": {"name": "helper"}, "tools": ["look"]},
            "tools goes with agent: of an agent that you describe, they are in spec.tools",
        ),
        (
            {"spec": {"name": "writer"}},
            'spec.name is the name of another agent, "writer": choose a new one',
        ),
        ({"spec": {"name": "lead"}}, 'spec.name is the name of another agent, "lead": choose a new one'),
        (
            {"spec": {"name": "helper", "base": "writer"}},
            "spec.base is not known here; the keys are: name, model, instructions, tools, max_rounds",
        ),
        (
            {"spec": {"name": "helper", "tools": ["look", "look"]}},
            'spec.tools is wrong: ["look", "look"] has non-unique elements',
        ),
        ({"spec": "helper"}, 'spec should be of type object, not "helper"'),
    ],
)
async def test_a_call_that_does_not_say_what_to_start_is_refused(spawn, arguments, problem):
    assert await spawn(input="Go.", **arguments) == [problem]


async def test_a_model_may_be_let_do_less(spawn):
    names_only = lead(look, spawn_agent([writer], inline=False, detach=False))
    specs_only = lead(look, spawn_agent())

    assert set(names_only.tools[1].spec.parameters["properties"]) == {"agent", "input", "tools", "lifecycle"}
    assert names_only.tools[1].spec.parameters["required"] == ["input", "agent"]
    assert set(specs_only.tools[1].spec.parameters["properties"]) == {"spec", "input", "mode", "lifecycle"}
    assert await spawn(by=names_only, input="Go.", spec={"name": "x"}) == [
        "agent is missing",
        "spec is not an argument of this tool",
    ]
    assert (await spawn(by=specs_only, input="Go.", spec={"name": "helper"})).agent == "helper"


def test_starting_agents_is_no_effect_of_its_own():
    assert (spawning.spec.effect, spawning.spec.concurrent) == (Effect.READ, True)


def test_agents_that_may_be_named_are_known_wherever_the_caller_is():
    assert spawning.agents == (writer,)
    assert {agent.name for agent in AgentRegistry([lead()])} == {"lead", "writer"}


@pytest.mark.parametrize(
    ("agents", "options", "words"),
    [([], {"inline": False}, "could start nothing"), ([writer, "writer"], {}, "have one name")],
)
def test_a_tool_that_could_start_nothing_or_does_not_know_whom_is_refused(agents, options, words):
    with pytest.raises(InvalidInput, match=words):
        spawn_agent(agents, **options)


def test_a_spec_is_strict():
    with pytest.raises(ValidationError) as caught:
        AgentSpec.model_validate({"name": "x\n", "instruction": "", "model": "gpt", "tools": ["a", "a"]})

    assert {error["loc"][0] for error in caught.value.errors()} == {"name", "instruction", "model", "tools"}


def test_a_spec_tells_what_differs_from_its_base():
    spec = AgentSpec(name="helper", base="lead", tools=("look",), max_rounds=2)

    assert spec.changes() == {"base": "lead", "tools": ["look"], "max_rounds": 2}
