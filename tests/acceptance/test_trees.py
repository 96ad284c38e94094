"""Trees of sub-agents in real processes: on one slot, over two workers, killed and cancelled."""

import asyncio
import time

import pytest

from powerloop import SendStatus

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

APP = """
from datetime import timedelta

from powerloop import Agent
from powerloop.kernel.limits import TreeLimits
from powerloop.testing.script import Rule, Script, ScriptedCall, Turn

BREADTH = 3
LIMITS = TreeLimits(depth=4, breadth=8, total=500)

def asks(tool: str, count: int) -> Turn:
    calls = tuple(ScriptedCall(name=tool, arguments={"input": f"part {n} of $input"}) for n in range(count))
    return Turn(calls=calls)

leaves = Script(rules=(
    Rule(pattern="slowly", turns=(Turn(text="slow leaf", delay=timedelta(seconds=60)),)),
    Rule(pattern="part 7 .*fail", turns=(Turn(failure=Failure(code="model.rejected")),)),
    Rule(pattern=".", turns=(Turn(text="leaf"),)),
))

def branches(tool: str) -> Script:
    return Script(rules=(Rule(pattern=".", turns=(asks(tool, BREADTH), Turn(text="branch of $result"))),))

leaf = Agent(name="leaf", model="scripted:leaves", tree=LIMITS)
third = Agent(name="third", model="scripted:to_leaves", tools=[leaf.as_tool()], tree=LIMITS)
second = Agent(name="second", model="scripted:to_third", tools=[third.as_tool()], tree=LIMITS)
first = Agent(name="first", model="scripted:to_second", tools=[second.as_tool()], tree=LIMITS)
root = Agent(name="root", model="scripted:to_first", tools=[first.as_tool()], tree=LIMITS)
to_leaves, to_third, to_second, to_first = map(branches, ("leaf", "third", "second", "first"))

eight = Script(rules=(Rule(pattern=".", turns=(asks("leaf", 8), Turn(text="all: $result"))),))
family = Agent(name="family", model="scripted:eight", tools=[leaf.as_tool()], tree=LIMITS)
""".replace("powerloop.testing.script import Rule", "powerloop.llm.script import Failure, Rule")


@pytest.fixture
def trees(system):
    """The system, whose workers know the trees."""
    system.add_app("trees", APP)
    return {"POWERLOOP_APP": "trees"}


async def all_sends(loop):
    return await loop.list_sends(limit=1000)


def kinds(sends):
    by_agent: dict[str, int] = {}
    for send in sends:
        by_agent[send.agent] = by_agent.get(send.agent, 0) + 1
    return by_agent


async def test_a_tree_of_depth_four_ends_on_one_slot(system, loop, trees):
    system.start_worker(concurrency=1, **trees)
    session = await loop.create_session(agent="root")
    result = await (await loop.send(session.id, "the whole")).result(timeout=120)
    assert result.status is SendStatus.COMPLETED
    sends = await all_sends(loop)
    assert kinds(sends) == {"root": 1, "first": 3, "second": 9, "third": 27, "leaf": 81}
    assert {send.status for send in sends} == {SendStatus.COMPLETED}
    # Each was claimed to begin, and each but the leaves once more, by the end of its last child.
    assert {send.attempt for send in sends if send.agent != "leaf"} == {2}
    assert {send.attempt for send in sends if send.agent == "leaf"} == {1}
    assert (result.text.count("branch of"), result.text.count("leaf")) == (40, 81)


async def test_cancelling_the_root_of_a_tree_ends_all_of_it(system, loop, trees, eventually):
    system.start_worker(**trees)
    session = await loop.create_session(agent="root")
    handle = await loop.send(session.id, "the whole, slowly")

    async def leaves_run():
        running = await loop.list_sends(agent="leaf", status="running", limit=100)
        return len(running) == 81

    await eventually(leaves_run, "every leaf is being driven", within=60)
    began = time.monotonic()
    await handle.cancel("enough")

    async def all_ended():
        return all(send.status.is_final for send in await all_sends(loop))

    await eventually(all_ended, "the whole tree has ended", within=20)
    took = time.monotonic() - began
    assert {send.status for send in await all_sends(loop)} == {SendStatus.CANCELLED}
    assert took < 10, "two seconds are promised; a busy machine may take some more"


@pytest.mark.parametrize("trouble", ["none", "one fails", "one is cancelled", "a worker is killed"])
async def test_a_parent_of_eight_is_woken_once_by_the_last(system, loop, trees, eventually, trouble):
    workers = [system.start_worker(**trees) for _ in range(2)]
    system.start_beat()
    slowly = trouble in ("one is cancelled", "a worker is killed")
    words = {"one fails": "the whole, and fail"}.get(trouble, "the whole" + (", slowly" if slowly else ""))
    session = await loop.create_session(agent="family")
    handle = await loop.send(session.id, words)
    if slowly:

        async def leaves():
            running = await running_leaves(loop)
            return running if len(running) == 8 else None

        running = await eventually(leaves, "all eight run", within=60)
        if trouble == "a worker is killed":
            victim = (
                workers[0] if any(f":{workers[0].pid}:" in send.owner for send in running) else workers[1]
            )
            victim.kill()
            await eventually(
                lambda: taken_over(loop), "the leaves of the dead worker run elsewhere", within=30
            )
            running = await running_leaves(loop)
        await asyncio.gather(*(loop.cancel(send.id) for send in running))
    result = await handle.result(timeout=90)
    assert result.status is SendStatus.COMPLETED
    sends = await all_sends(loop)
    [parent] = [send for send in sends if send.agent == "family"]
    assert parent.attempt == 2
    assert len(sends) == 9
    told = await results_of(loop, session.id)
    assert len(told) == 8
    assert sum(told.values()) == {"one fails": 1}.get(trouble, 8 if slowly else 0)


async def running_leaves(loop):
    return await loop.list_sends(agent="leaf", status="running", limit=100)


async def taken_over(loop):
    running = await running_leaves(loop)
    return len(running) == 8 and any(send.attempt > 1 for send in running)


async def results_of(loop, session_id):
    """What the parent was told, by call: whether each is an error."""
    messages = await loop.messages(session_id)
    [results] = [message.content for message in messages if message.role == "tool"]
    return {block.call_id: block.is_error for block in results}
