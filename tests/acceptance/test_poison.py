"""A send that kills whatever runs it: it fails in the end, and takes nobody with it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.kernel.attempt import POISON_CODE
from powerloop.testing.wire import Reply, WireCall, WireProcess
from powerloop.testing.world import WorldProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

APP = '''
import os, signal

from powerloop import Agent, ToolContext, tool
from powerloop.testing.world import WorldClient

world = WorldClient(os.environ["WORLD_URL"])

@tool(effect="read")
async def explode(context: ToolContext) -> str:
    """Take the process along."""
    await world.post("explode", send=context.send_id)
    os.kill(os.getpid(), signal.SIGKILL)

@tool(effect="read")
async def look(context: ToolContext) -> str:
    """Look something up."""
    await world.post("look", send=context.send_id)
    return "looked"

agent = Agent(name="miner", model="openai:gpt-test", tools=[explode, look])
'''

#: The fewest that tell poison from its victims. It has one strike less than they: its first claim brought a
#: commit.
MAX_ATTEMPTS = 3
SESSIONS = 10
SENDS = 8


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess(latency=timedelta(milliseconds=300)) as wire:
        wire.on("dig", Reply(calls=(WireCall(name="explode"),)))
        wire.on("look", Reply(calls=(WireCall(name="look"),)))
        yield wire


@pytest.fixture
def world() -> Iterator[WorldProcess]:
    with WorldProcess() as world:
        yield world


async def test_a_send_that_kills_its_process_each_time_fails_as_poison_and_harms_no_other(
    system, loop: AsyncPowerLoop, wire, world
):
    system.add_app("mining_agents", APP)
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    supervisor = system.start_supervisor(
        2,
        **wire.environ,
        WORLD_URL=world.url,
        POWERLOOP_APP="mining_agents",
        POWERLOOP_MAX_ATTEMPTS=str(MAX_ATTEMPTS),
        POWERLOOP_LEASE_TTL="1",
        POWERLOOP_LOCK_TTL="1",
    )
    others = [send for _ in range(SESSIONS) for send in await begin(loop, *["look"] * SENDS)]
    poison, behind = await begin(loop, "dig", "look")
    result = await poison.result(timeout=60)
    assert (result.status, result.error.code) == (SendStatus.FAILED, POISON_CODE)
    # The commit of the model's answer was the last; the claims after it came to nothing.
    assert world.count("explode", send=poison.id) == 1 + MAX_ATTEMPTS
    assert supervisor.output().count("ended with -9; started again") == 1 + MAX_ATTEMPTS
    for send in (behind, *others):
        assert (await send.result(timeout=30)).status is SendStatus.COMPLETED
    roles = [str(message.role) for message in await loop.messages(poison.session_id)]
    assert roles == ["user", "assistant", "tool", "user", "assistant", "tool", "assistant"]
    # Some of the others were its victims.
    victims = [await other.refresh() for other in others]
    assert max(send.attempt for send in victims) > 1


async def begin(loop: AsyncPowerLoop, *texts: str) -> list[SendHandle]:
    """Sends of one new session."""
    session = await loop.create_session("miner")
    return [await loop.send(session.id, text) for text in texts]
