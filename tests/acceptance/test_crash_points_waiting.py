"""SIGKILL at each boundary of a send that waits: for sub-agents, a person's answer, a person's approval and
a tool on a queue of its own, while it is steered."""

import asyncio
from functools import partial

import pytest

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.kernel.crash_points import CrashPoint
from powerloop.testing.wire import Reply, WireCall, WireProcess
from powerloop.testing.world import WorldProcess
from tests.acceptance.crew import Crew

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("crash points"), pytest.mark.timeout(300)]

APP = '''
import os

from powerloop import Agent, ToolContext, tool
from powerloop.testing.world import WorldClient
from powerloop.tools import ask_user

world = WorldClient(os.environ["WORLD_URL"])

@tool(effect="once", approval="always")
async def pay(context: ToolContext) -> str:
    """Pay."""
    await world.post("pay", key=context.idempotency_key, send=context.send_id)
    return "pay: done"

@tool(effect="once", queue="desk")
async def book(context: ToolContext) -> str:
    """Book."""
    await world.post("book", key=context.idempotency_key, send=context.send_id)
    return "book: done"

scout = Agent(name="scout", model="openai:gpt-test", instructions="Scout.")
parent = Agent(name="parent", model="openai:gpt-test", tools=[scout.as_tool(), ask_user(), pay, book])
'''

CALLS = Reply(
    calls=(
        WireCall(name="scout", arguments={"input": "Scout the north."}),
        WireCall(name="scout", arguments={"input": "Scout the south."}),
        WireCall(name="ask_user", arguments={"prompt": "Which way?"}),
        WireCall(name="pay"),
        WireCall(name="book"),
    )
)
ANSWER = Reply(text="All done.")

#: In the order in which they are passed: by the parent, then by the first of its sub-agents that comes there.
#: The last ones are the boundaries of a sub-agent's finishing transaction, and of waking the parent.
POINTS = (
    CrashPoint.AFTER_COMMIT_MODEL,
    CrashPoint.BEFORE_SUSPEND,
    CrashPoint.AFTER_SUSPEND,
    CrashPoint.BEFORE_PUBLISH,
    CrashPoint.AFTER_PUBLISH,
    CrashPoint.BEFORE_FINISH,
    CrashPoint.AFTER_FINISH,
    CrashPoint.BEFORE_TASK_CLAIM,
    CrashPoint.AFTER_TASK_CLAIM,
    CrashPoint.BEFORE_TASK_CONCLUDE,
    CrashPoint.AFTER_TASK_CONCLUDE,
    CrashPoint.AFTER_START_CALLS,
    CrashPoint.BEFORE_MERGE,
    CrashPoint.AFTER_MERGE,
)


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("Scout the", Reply(text="All quiet."))
        wire.on("the whole", CALLS, ANSWER)
        wire.on("steered", ANSWER)
        yield wire


@pytest.fixture
def world():
    with WorldProcess() as world:
        yield world


@pytest.fixture
def crew(system, wire, world) -> Crew:
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    return Crew(system, APP, {**wire.environ, "WORLD_URL": world.url})


async def answer_everything(loop: AsyncPowerLoop, send: SendHandle, world: WorldProcess) -> None:
    """Be the person who is asked, and who knows what the world has seen."""
    while True:
        for question in await loop.interactions(session_id=send.session_id):
            seen = world.count(question.tool, send=send.id)
            done = {"action": "done", "result": f"{question.tool}: done"}
            answers = {
                "input": "north",
                "approval": {"action": "approve"},
                "in_doubt": done if seen else {"action": "run"},
            }
            await loop.answer(question.id, answers[question.kind], actor="the person")
        await asyncio.sleep(0.05)


async def test_a_kill_at_any_boundary_of_waiting_changes_nothing_that_anybody_can_see(
    loop, crew, wire, world, eventually
):
    for point in POINTS:
        crew.order(point)
        await crew.under_orders(eventually)
        session = await loop.create_session("parent")
        asked = len(wire.requests())
        send = await loop.send(session.id, "Do the whole thing.")
        await eventually(partial(was_asked, wire, asked), "the model is asked", within=30)
        steer = await loop.send(session.id, "You are steered.", policy="steer")
        helping = asyncio.create_task(answer_everything(loop, send, world))
        try:
            await crew.died(eventually)
            crew.advance()
            assert (await send.result(timeout=40)).status is SendStatus.COMPLETED, point
            assert (await steer.result(timeout=40)).status is SendStatus.MERGED, point
        finally:
            helping.cancel()
        await check(loop, send, world, point)


def was_asked(wire: WireProcess, before: int) -> bool:
    return len(wire.requests()) > before


async def check(loop: AsyncPowerLoop, send: SendHandle, world: WorldProcess, point: CrashPoint) -> None:
    messages = await loop.messages(send.session_id)
    results = next(message.content for message in messages if message.role == "tool")
    told = [block.text for block in results]
    assert told == ["All quiet.", "All quiet.", "north", "pay: done", "book: done"], point
    assert [message.text for message in messages if message.role == "user"][-1] == "You are steered.", point
    assert [world.count(tool, send=send.id) for tool in ("pay", "book")] == [1, 1], point
    asked = await loop.interactions(session_id=send.session_id, status=None)
    assert {question.status for question in asked} == {"answered"}, point
    children = [one for one in await loop.list_sends(agent="scout") if one.root_id == send.id]
    assert [child.status for child in children] == [SendStatus.COMPLETED] * 2, point
