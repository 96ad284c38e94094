"""Agents as tools of other agents, and what a process has to know therefore."""

from dataclasses import replace

import pytest

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.waits import Spawn, SpawnMode
from powerloop.tools import spawn_agent

leaf = Agent(name="leaf", model="scripted:x")


def holding(name, *tools):
    return Agent(name=name, model="scripted:x", tools=tools)


async def test_a_call_waits_for_the_agent(run):
    assert (await run(leaf.as_tool(), {"input": "Grow."})).wait == Spawn(
        agent="leaf", content=(TextBlock(text="Grow."),), mode=SpawnMode.WAIT, lifecycle=Lifecycle.LINKED
    )


async def test_the_author_says_whether_to_wait_and_what_binds_it(run):
    growing = leaf.as_tool(mode="detach", lifecycle="ephemeral")

    wait = (await run(growing, {"input": "Grow."})).wait

    assert (wait.mode, wait.lifecycle) == (SpawnMode.DETACH, Lifecycle.EPHEMERAL)
    assert "later" in growing.spec.description


@pytest.mark.parametrize("arguments", [{}, {"input": ""}, {"input": 3}, {"input": "x", "mode": "detach"}])
async def test_a_model_gives_one_text_and_nothing_else(run, arguments):
    assert (await run(leaf.as_tool(), arguments)).status is CallStatus.FAILED


def test_it_is_named_and_described_by_the_agent_unless_its_author_does():
    agent = replace(leaf, name="head of böoks & co.")

    assert agent.as_tool().spec.name == "head_of_b_oks___co_"
    assert "head of böoks & co." in agent.as_tool().spec.description
    named = agent.as_tool("books", "Ask about books.").spec
    assert (named.name, named.description) == ("books", "Ask about books.")
    assert (named.effect, named.concurrent) == (Effect.READ, True)
    assert len(replace(leaf, name="x" * 100).as_tool().spec.name) == 64


@pytest.mark.parametrize("options", [{"name": ""}, {"name": "a b"}, {"mode": "later"}, {"lifecycle": "long"}])
def test_a_tool_that_cannot_be_is_refused(options):
    with pytest.raises(InvalidInput):
        leaf.as_tool(**options)


def test_who_knows_an_agent_knows_all_that_it_may_start():
    branch = holding("branch", leaf.as_tool())
    other = holding("other", spawn_agent([leaf, "elsewhere"]))
    root = holding("root", branch.as_tool(), other.as_tool("more"))

    registry = AgentRegistry([root])

    assert [agent.name for agent in registry] == ["root", "branch", "other", "leaf"]
    assert registry.get("leaf") is leaf
    assert len(AgentRegistry([leaf, root, branch])) == 4


def test_two_agents_of_one_name_are_refused_wherever_they_are_found():
    with pytest.raises(InvalidInput, match="two agents are named 'leaf'"):
        AgentRegistry([replace(leaf, max_rounds=2), holding("root", leaf.as_tool())])
