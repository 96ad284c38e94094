"""SIGKILL at any moment, again and again, under load: what two workers and two beats lose, others finish."""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.kernel.sends import Send
from powerloop.kernel.timers import Timer
from powerloop.testing.wire import Reply, WireCall, WireProcess
from powerloop.testing.world import WorldProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine"), pytest.mark.timeout(300)]

APP = '''
import os, time
from pathlib import Path

import openai
from powerloop import Agent, Finding, ToolContext, tool
from powerloop.testing.world import WorldClient

world = WorldClient(os.environ["WORLD_URL"])

@tool(effect="read")
async def look(context: ToolContext) -> str:
    """Look something up."""
    await world.post("look", send=context.send_id)
    return "look: done"

@tool(effect="keyed")
async def book(context: ToolContext) -> str:
    """Book something."""
    await world.post("book", key=context.idempotency_key, send=context.send_id)
    return "book: done"

@tool(effect="once", concurrent=True)
async def charge(context: ToolContext) -> str:
    """Charge something, where one can ask whether it was charged."""
    await world.post("charge", key=context.idempotency_key, send=context.send_id)
    return "charge: done"

@charge.probe
async def charged(context: ToolContext) -> Finding:
    known = await world.knows("charge", context.idempotency_key)
    return Finding.done("charge: done") if known else Finding.not_done()

agent = Agent(name="clerk", model="openai:gpt-test", tools=[look, book, charge])
# The process is ready, and waits for its turn.
gate = Path(os.environ["GATE"])
while not gate.exists():
    time.sleep(0.01)
'''

TOOLS = ("look", "book", "charge")
SESSIONS = 30
SENDS = 10
#: Runs of a workflow beside them, whose leaves only talk.
RUNS = 5
NOTES = {
    "name": "notes",
    "root": {
        "type": "foreach",
        "as": "page",
        "items": list(range(6)),
        "max_concurrency": 2,
        "body": {
            "type": "sequence",
            "steps": [
                {"type": "agent", "id": "first", "agent": "clerk", "input": "note {{page}}"},
                {"type": "agent", "id": "second", "agent": "clerk", "input": "{{first}}"},
            ],
        },
    },
}
#: Timers beside them, each of which fires so often, a second apart.
TIMERS = 5
FIRES = 12
EXPECTED_NOTES = [f"You said: You said: note {page}" for page in range(6)]
#: Two model calls per send, one send after another: the load lasts some fifteen seconds.
LATENCY = timedelta(milliseconds=600)
SECOND = timedelta(seconds=1)


class Crew:
    """Two workers, their successors at the gate, and two beats: whoever dies is replaced at once."""

    def __init__(self, system, wire: WireProcess, world: WorldProcess) -> None:
        self._system = system
        self._environment = {
            **wire.environ,
            "WORLD_URL": world.url,
            "POWERLOOP_APP": "clerk_agents",
            "POWERLOOP_LEASE_TTL": "1",
            "POWERLOOP_LOCK_TTL": "1",
        }
        system.add_app("clerk_agents", APP)
        self._beats = [self._start_beat() for _ in range(2)]
        self._started = 0
        self._waiting = [self._start() for _ in range(3)]
        self._working = [self._next(), self._next()]
        for worker in self._working:
            worker.wait_for(" ready.")

    def kill(self, number: int) -> None:
        """Kill one of the two, and let a successor in."""
        victim = self._working[number]
        victim.kill()
        assert victim.process.returncode == -signal.SIGKILL, victim.output()
        self._working[number] = self._next()
        self._waiting.append(self._start())

    def kill_beat(self, number: int) -> None:
        """Kill one of the two beats, and start another one."""
        self._beats[number].kill()
        self._beats[number] = self._start_beat()

    def _start_beat(self):
        return self._system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")

    def _next(self):
        worker, gate = self._waiting.pop(0)
        gate.touch()
        return worker

    def _start(self):
        self._started += 1
        gate = self._system.folder / f"gate{self._started}"
        return self._system.start_worker(ready=False, GATE=str(gate), **self._environment), gate


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess(latency=LATENCY) as wire:
        # After the tools, the wire server says what it was told.
        wire.on("order", Reply(calls=tuple(WireCall(name=name) for name in TOOLS)))
        yield wire


@pytest.fixture
def world() -> Iterator[WorldProcess]:
    with WorldProcess() as world:
        yield world


@pytest.fixture
def chance() -> random.Random:
    """The moments of the kills. The seed is shown if the test fails, and can be given to try it again."""
    seed = os.environ.get("TEST_KILLS_SEED") or str(random.randrange(10**6))
    sys.stdout.write(f"TEST_KILLS_SEED={seed}\n")
    return random.Random(seed)


async def test_random_kills_lose_no_send_keep_the_order_and_repeat_no_effect(
    system, loop: AsyncPowerLoop, wire, world, chance
):
    crew = Crew(system, wire, world)
    conversations = await asyncio.gather(*(converse(loop, number) for number in range(SESSIONS)))
    runs = [await loop.start_workflow(NOTES) for _ in range(RUNS)]
    timers = [await wake_up(loop) for _ in range(TIMERS)]
    killing = asyncio.create_task(kill_at_random(crew, chance))
    sends = [send for conversation in conversations for send in conversation]
    results = await asyncio.gather(*(send.result(timeout=150) for send in sends))
    notes = await asyncio.gather(*(run.result(timeout=150) for run in runs))
    fired = [await sends_of(loop, timer) for timer in timers]
    killing.cancel()
    for timer, made in zip(timers, fired, strict=True):
        check_ticks(timer, made)
    assert [note.value for note in notes] == [EXPECTED_NOTES] * RUNS
    assert Counter(result.status for result in results) == {SendStatus.COMPLETED: SESSIONS * SENDS}
    for number, conversation in enumerate(conversations):
        await check_log(loop, number, conversation)
    check_effects(world, sends)
    assert max(send.attempt for send in await loop.list_sends(limit=1_000)) > 1


async def converse(loop: AsyncPowerLoop, number: int) -> list[SendHandle]:
    """The sends of one session, enqueued one after another."""
    session = await loop.create_session("clerk")
    return [await loop.send(session.id, f"order {number}.{place}") for place in range(SENDS)]


async def wake_up(loop: AsyncPowerLoop) -> Timer:
    """A timer of a session of its own, which catches up with every tick."""
    session = await loop.create_session("clerk")
    return await loop.schedule(
        "tick {{tick}}", session_id=session.id, every=SECOND, max_fires=FIRES, catch_up="all"
    )


async def sends_of(loop: AsyncPowerLoop, timer: Timer) -> list[Send]:
    """The sends of a timer that has fired for the last time, each of which has ended."""
    deadline = time.monotonic() + 90
    while (await loop.get_timer(timer.id)).fires < FIRES:
        assert time.monotonic() < deadline, "the timer has not fired often enough"
        await asyncio.sleep(0.2)
    found = await loop.list_sends(session_id=timer.session_id)
    handles = [await loop.get_send(send.id) for send in found]
    results = await asyncio.gather(*(handle.result(timeout=90) for handle in handles))
    assert {result.status for result in results} == {SendStatus.COMPLETED}
    return sorted(found, key=lambda send: send.position)


def check_ticks(timer: Timer, sends: list[Send]) -> None:
    """Each tick has one send, in order, though beats were killed all the time."""
    assert timer.tick_at is not None
    due = [(timer.tick_at + SECOND * index).isoformat() for index in range(FIRES)]
    assert [send.metadata["timer_due_at"] for send in sends] == due
    assert [send.metadata["timer_tick"] for send in sends] == list(range(1, FIRES + 1))


async def kill_at_random(crew: Crew, chance: random.Random) -> None:
    """Kill one of the workers every two to six seconds, and now and then a beat, until cancelled."""
    while True:
        await asyncio.sleep(chance.uniform(2, 6))
        crew.kill(chance.randrange(2))
        if chance.random() < 0.7:
            crew.kill_beat(chance.randrange(2))


async def check_log(loop: AsyncPowerLoop, number: int, sends: list[SendHandle]) -> None:
    """The log tells the sends in the order in which they were enqueued, each complete."""
    messages = await loop.messages(sends[0].session_id)
    assert [message.seq for message in messages] == list(range(1, 4 * SENDS + 1))
    assert [str(message.role) for message in messages] == ["user", "assistant", "tool", "assistant"] * SENDS
    assert [message.send_id for message in messages] == [send.id for send in sends for _ in range(4)]
    asked = [f"order {number}.{place}" for place in range(SENDS)]
    assert [message.text for message in messages[0::4]] == asked
    for results in messages[2::4]:
        assert [getattr(block, "text", None) for block in results.content] == [
            f"{name}: done" for name in TOOLS
        ]
    assert [message.text for message in messages[3::4]] == [f"You said: {text}" for text in asked]


def check_effects(world: WorldProcess, sends: list[SendHandle]) -> None:
    """Each call had its effect: a keyed one under one key, a `once` call in one request."""
    requests = world.requests()
    ids = {send.id for send in sends}
    assert {request.send for request in requests if request.tool == "look"} == ids
    keys = {(request.send, request.key) for request in requests if request.tool == "book"}
    assert Counter(send for send, _ in keys) == dict.fromkeys(ids, 1)
    charges = Counter(request.send for request in requests if request.tool == "charge")
    assert charges == dict.fromkeys(ids, 1)
