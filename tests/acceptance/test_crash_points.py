"""SIGKILL at each boundary of a send's journal, with a tool of every effect, and a world that counts."""

import asyncio
import signal
from collections import Counter
from datetime import timedelta
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

from powerloop import Agent, Finding, ToolContext, tool
from powerloop.testing.world import WorldClient

world = WorldClient(os.environ["WORLD_URL"])

async def happen(tool_name: str, context: ToolContext, key: str = "") -> str:
    await world.post(tool_name, key=key, send=context.send_id)
    return f"{tool_name}: done"

@tool(effect="read")
async def look(context: ToolContext) -> str:
    """Look something up."""
    return await happen("look", context)

@tool(effect="idempotent")
async def mark(context: ToolContext) -> str:
    """Mark something."""
    return await happen("mark", context)

@tool(effect="keyed")
async def book(context: ToolContext) -> str:
    """Book something."""
    return await happen("book", context, context.idempotency_key)

@tool(effect="once", concurrent=True)
async def charge(context: ToolContext) -> str:
    """Charge something, where one can ask whether it was charged."""
    return await happen("charge", context, context.idempotency_key)

@charge.probe
async def charged(context: ToolContext) -> Finding:
    known = await world.knows("charge", context.idempotency_key)
    return Finding.done("charge: done") if known else Finding.not_done()

@tool(effect="once", concurrent=True)
async def mail(context: ToolContext) -> str:
    """Mail something; nobody can tell whether it went."""
    return await happen("mail", context, context.idempotency_key)

agent = Agent(
    name="clerk", model="openai:gpt-test", instructions="Work.", tools=[look, mark, book, charge, mail]
)
'''

TOOLS = ("look", "mark", "book", "charge", "mail")
CALLS = Reply(text="I will.", calls=tuple(WireCall(name=name) for name in TOOLS))
ANSWER = Reply(text="All done.")

#: Passed by any process that takes the send over after a `once` call was cut off.
IN_DOUBT = (
    CrashPoint.BEFORE_PROBE,
    CrashPoint.AFTER_PROBE,
    CrashPoint.BEFORE_SUSPEND,
    CrashPoint.AFTER_SUSPEND,
)
#: Passed when a process shuts down.
AT_SHUTDOWN = (CrashPoint.BEFORE_HAND_OVER, CrashPoint.AFTER_HAND_OVER)
#: Passed where a send is steered.
STEERED = (CrashPoint.BEFORE_MERGE, CrashPoint.AFTER_MERGE)
#: Passed where a tool has a queue of its own.
QUEUED = (
    CrashPoint.BEFORE_TASK_CLAIM,
    CrashPoint.AFTER_TASK_CLAIM,
    CrashPoint.BEFORE_TASK_CONCLUDE,
    CrashPoint.AFTER_TASK_CONCLUDE,
)
#: Passed by runs of workflows.
OF_RUNS = (CrashPoint.BEFORE_ADVANCE, CrashPoint.AFTER_ADVANCE, CrashPoint.AFTER_ADVANCE_PUBLISH)
#: Passed by beats.
OF_BEATS = (
    CrashPoint.BEFORE_FIRE,
    CrashPoint.DURING_FIRE,
    CrashPoint.AFTER_FIRE,
    CrashPoint.AFTER_FIRE_PUBLISH,
)
#: Those to publish only where there is something to publish: with a second send behind the first.
ALWAYS = tuple(
    point
    for point in CrashPoint
    if point not in (*IN_DOUBT, *AT_SHUTDOWN, *STEERED, *QUEUED, *OF_RUNS, *OF_BEATS)
)

#: Where the model has answered, and nothing says so: it is asked again.
ANSWER_LOST = (CrashPoint.AFTER_MODEL, CrashPoint.BEFORE_FINISH)


@pytest.fixture
def wire():
    with WireProcess() as wire:
        wire.on("work", CALLS, ANSWER)
        yield wire


@pytest.fixture
def world():
    with WorldProcess() as world:
        yield world


@pytest.fixture
def crew(system, wire, world) -> Crew:
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    return Crew(system, APP, {**wire.environ, "WORLD_URL": world.url})


async def begin(loop: AsyncPowerLoop) -> tuple[SendHandle, SendHandle]:
    """A send, and one behind it, so that something is to be published at its end."""
    session = await loop.create_session("clerk")
    return await loop.send(session.id, "Work, please."), await loop.send(session.id, "Thanks.")


async def end(loop: AsyncPowerLoop, first: SendHandle, second: SendHandle, world: WorldProcess) -> None:
    """Both sends end, with the help of a person who knows what the world has seen."""

    async def person() -> None:
        while True:
            for question in await loop.interactions(session_id=first.session_id):
                went = world.count("mail", send=first.id)
                answer = {"action": "done", "result": "mail: done"} if went else {"action": "run"}
                await loop.answer(question.id, answer, actor="the person")
            await asyncio.sleep(0.05)

    helping = asyncio.create_task(person())
    try:
        for send in (first, second):
            assert (await send.result(timeout=30)).status is SendStatus.COMPLETED
    finally:
        helping.cancel()


async def check(loop: AsyncPowerLoop, first: SendHandle, world: WorldProcess, point: CrashPoint) -> None:
    messages = await loop.messages(first.session_id)
    roles = [str(message.role) for message in messages]
    assert roles == ["user", "assistant", "tool", "assistant", "user", "assistant"], point
    results = [getattr(block, "text", None) for block in messages[2].content]
    assert results == [f"{name}: done" for name in TOOLS], point
    assert messages[3].text == ANSWER.text
    counts = Counter({name: world.count(name, send=first.id) for name in TOOLS})
    assert min(counts.values()) == 1, (point, counts)
    assert (counts["charge"], counts["mail"]) == (1, 1), (point, counts)
    assert len(world.keys("book", send=first.id)) == 1, point


async def test_a_kill_at_any_boundary_changes_nothing_that_the_world_can_see(
    loop, crew, wire, world, eventually
):
    for point in ALWAYS:
        asked = len(wire.requests())
        crew.order(point)
        await crew.under_orders(eventually)
        first, second = await begin(loop)
        await crew.died(eventually)
        crew.advance()
        await end(loop, first, second, world)
        await check(loop, first, world, point)
        assert len(wire.requests()) - asked == (4 if point in ANSWER_LOST else 3), point


async def test_a_kill_while_a_call_is_in_doubt_changes_nothing_either(loop, crew, world, eventually):
    for point in IN_DOUBT:
        crew.order(CrashPoint.AFTER_START_CALLS)
        await crew.under_orders(eventually)
        first, second = await begin(loop)
        await crew.died(eventually)
        crew.advance(point)
        await crew.died(eventually)
        crew.advance()
        await end(loop, first, second, world)
        await check(loop, first, world, point)


async def test_a_kill_while_a_send_is_handed_over_changes_nothing_either(loop, crew, wire, world, eventually):
    for point in AT_SHUTDOWN:
        wire.enqueue(Reply(text="Too late.", delay=timedelta(seconds=30)))
        crew.order(point)
        await crew.under_orders(eventually)
        first, second = await begin(loop)
        await eventually(partial(is_running, first), "the send runs")
        crew.worker.signal(signal.SIGTERM)
        await crew.died(eventually)
        crew.advance()
        await end(loop, first, second, world)
        await check(loop, first, world, point)


async def is_running(send: SendHandle) -> bool:
    return await send.status() is SendStatus.RUNNING
