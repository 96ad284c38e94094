"""Tools with a queue of their own: what is refused here, what travels, and who runs it in place."""

from dataclasses import replace

import pytest

from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.waits import Queued, ToolWait
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.tools import AgentToolbox, schema_tool, tool


@tool(effect="read", queue="browser")
async def browse(url: str) -> str:
    return f"seen {url}"


def call_of(**arguments):
    return replace(make_call(name="browse"), arguments=arguments)


async def test_a_call_waits_for_its_queue_with_its_arguments():
    agent, toolbox = make_agent(tools=(browse,)), AgentToolbox()
    call = call_of(url="example.org")
    wait = Queued(queue="browser", arguments={"url": "example.org"})
    assert await toolbox.call(agent, make_send(), call) == ToolWait(call_id=call.id, wait=wait)
    assert toolbox.queue_of(agent, call) == "browser"


async def test_a_call_with_wrong_arguments_does_not_travel():
    outcome = await AgentToolbox().call(make_agent(tools=(browse,)), make_send(), call_of(uri="x"))
    assert outcome.status is CallStatus.FAILED
    assert "url" in outcome.text


async def test_who_serves_the_queue_runs_the_call_in_place():
    agent, toolbox = make_agent(tools=(browse,)), AgentToolbox(in_place=True)
    outcome = await toolbox.call(agent, make_send(), call_of(url="example.org"))
    assert (outcome.status, outcome.text) == (CallStatus.DONE, "seen example.org")
    assert toolbox.queue_of(agent, call_of()) is None


def test_other_tools_and_unknown_ones_have_no_queue():
    @tool
    def look() -> str:
        return ""

    toolbox = AgentToolbox()
    agent = make_agent(tools=(look,))
    assert toolbox.queue_of(agent, make_call(name="look")) is None
    assert toolbox.queue_of(agent, make_call(name="nobody")) is None


def test_a_process_knows_the_queues_of_the_tools_of_its_agents():
    shared = schema_tool("scan", "", {"type": "object"}, lambda arguments: "", queue="powerloop.tool")
    registry = AgentRegistry([make_agent(tools=(browse, shared)), make_agent(name="b", tools=(browse,))])
    assert registry.tool_queues == ("browser", "powerloop.tool")


@pytest.mark.parametrize("name", ["", "celery", "powerloop.send", "powerloop.mine", "a b", "x" * 101, "a:b"])
def test_a_queue_that_is_none_or_somebody_elses_is_refused(name):
    with pytest.raises(InvalidInput, match="queue"):
        tool(queue=name, name="browse")(lambda: "")
