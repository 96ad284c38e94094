"""SIGTERM under load: what runs is handed over, and no attempt is used."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import pytest

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.testing.wire import Reply, WireCall, WireProcess
from powerloop.testing.world import WorldProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

APP = '''
import asyncio, os
from pathlib import Path

from powerloop import Agent, Finding, ToolContext, tool
from powerloop.testing.world import WorldClient

world = WorldClient(os.environ["WORLD_URL"])
shutdown = Path(os.environ["SHUTDOWN"])

@tool(effect="keyed")
async def book(context: ToolContext) -> str:
    """Book something, which takes until the worker shuts down."""
    await world.post("book", key=context.idempotency_key, send=context.send_id)
    while not shutdown.exists():
        await asyncio.sleep(0.02)
    return "booked"

@tool(effect="once")
async def charge(context: ToolContext) -> str:
    """Charge something, and take longer than any worker has."""
    await world.post("charge", key=context.idempotency_key, send=context.send_id)
    await asyncio.sleep(600)
    return "charged at last"

@charge.probe
async def charged(context: ToolContext) -> Finding:
    known = await world.knows("charge", context.idempotency_key)
    return Finding.done("charged") if known else Finding.not_done()

agent = Agent(name="clerk", model="openai:gpt-test", tools=[book, charge])
'''

DRAIN_S = 2.0
#: What it takes to let go of a hundred sends and of every connection, on a machine with other things to do.
MARGIN_S = 6.0

THINK, BOOK, CHARGE = "Think.", "Book it.", "Charge it."
COUNTS = {THINK: 50, BOOK: 25, CHARGE: 25}


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess() as wire:
        wire.on("book", Reply(calls=(WireCall(name="book"),)))
        wire.on("charge", Reply(calls=(WireCall(name="charge"),)))
        # The first answers to those who think come after any drain; later ones at once.
        wire.enqueue(*[Reply(text="Too late.", delay=timedelta(minutes=5))] * COUNTS[THINK])
        yield wire


@pytest.fixture
def world() -> Iterator[WorldProcess]:
    with WorldProcess() as world:
        yield world


@pytest.fixture
def environment(system, wire, world) -> dict[str, str]:
    """What the workers are told."""
    system.add_app("clerk_agents", APP)
    return {
        **wire.environ,
        "WORLD_URL": world.url,
        "SHUTDOWN": str(system.folder / "shutdown"),
        "POWERLOOP_APP": "clerk_agents",
        "POWERLOOP_DRAIN_TIMEOUT": str(DRAIN_S),
    }


async def test_sigterm_with_a_hundred_sends_in_flight_loses_none_and_uses_no_attempt(
    system, loop: AsyncPowerLoop, wire, world, environment, eventually
):
    worker = system.start_worker(concurrency=200, **environment)
    sends = await begin(loop, wire, world, eventually)
    successor = system.start_worker(concurrency=200, **environment)
    told_at = monotonic()
    worker.signal(signal.SIGTERM)
    await eventually(lambda: "drain begun" in worker.output(), "the worker hands over what commits")
    (system.folder / "shutdown").touch()
    assert await asyncio.to_thread(worker.process.wait, 30) == 0, worker.output()
    assert monotonic() - told_at < DRAIN_S + MARGIN_S
    results = await asyncio.gather(*(send.result(timeout=30) for send in sends))
    assert Counter(result.status for result in results) == {SendStatus.COMPLETED: len(sends)}
    ended = await loop.list_sends(limit=1_000)
    assert {send.attempt for send in ended} == {1}
    # The claim that ended it is one, where nothing was committed before.
    assert {send.strikes for send in ended} <= {0, 1}
    assert {send.owner.split(":")[1] for send in ended} == {str(successor.pid)}
    check_rounds(wire)
    check_effects(world)


async def begin(loop: AsyncPowerLoop, wire, world, eventually) -> list[SendHandle]:
    """Half of the sends are in model calls, the others in tools of two kinds."""
    sends = [await send_new(loop, THINK) for _ in range(COUNTS[THINK])]
    await eventually(lambda: wire.stats().in_flight == COUNTS[THINK], "half of the sends think")
    sends += [await send_new(loop, text) for text in (BOOK, CHARGE) for _ in range(COUNTS[text])]
    await eventually(lambda: world.count() == len(sends) - COUNTS[THINK], "the others are in their tools")
    return sends


async def send_new(loop: AsyncPowerLoop, text: str) -> SendHandle:
    session = await loop.create_session("clerk")
    return await loop.send(session.id, text)


def check_rounds(wire: WireProcess) -> None:
    """Committed rounds are not repeated; calls that the drain cut off are made again."""
    asked = Counter((request.last_input, request.answered) for request in wire.requests())
    assert asked == {
        (THINK, 0): 2 * COUNTS[THINK],
        (BOOK, 0): COUNTS[BOOK],
        (BOOK, 1): COUNTS[BOOK],
        (CHARGE, 0): COUNTS[CHARGE],
        (CHARGE, 1): COUNTS[CHARGE],
    }


def check_effects(world: WorldProcess) -> None:
    """A tool that ended within the drain is not run again; nor is one that was probed."""
    effects = Counter((request.tool, request.send) for request in world.requests())
    assert set(effects.values()) == {1}
    assert Counter(tool for tool, _ in effects) == {"book": COUNTS[BOOK], "charge": COUNTS[CHARGE]}
