"""Messages that are lost, and messages that come twice: neither is seen in what becomes of a send."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import pytest
import redis

from powerloop import AsyncPowerLoop, SendHandle, SendStatus
from powerloop.testing.wire import Reply, WireCall, WireProcess
from powerloop.testing.world import WorldProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.takes("machine")]

APP = '''
import json, os
from uuid import uuid4

from powerloop import Agent, ToolContext, tool
from powerloop.queue.transport import GuardedChannel, GuardedTransport
from powerloop.testing.world import WorldClient

world = WorldClient(os.environ["WORLD_URL"])

class UnreliableChannel(GuardedChannel):
    """Throws every tenth message away, and has each other one come again: at once, or after all others."""

    def keep(self, name: str, message: bytes) -> bool:
        copy = json.loads(message)
        if "again" in copy["headers"]:
            return super().keep(name, message)
        with self.conn_or_acquire() as client:
            number = client.incr("messages")
            if number % 10 == 0:
                return False
            copy["headers"]["again"] = True
            copy["properties"]["delivery_tag"] = str(uuid4())
            push = client.rpush if number % 2 else client.lpush
            push(name, json.dumps(copy))
        return super().keep(name, message)

GuardedTransport.Channel = UnreliableChannel

async def happen(tool_name: str, context: ToolContext, key: str = "") -> str:
    await world.post(tool_name, key=key, send=context.send_id)
    return f"{tool_name}: done"

@tool(effect="read")
async def look(context: ToolContext) -> str:
    """Look something up."""
    return await happen("look", context)

@tool(effect="keyed")
async def book(context: ToolContext) -> str:
    """Book something."""
    return await happen("book", context, context.idempotency_key)

@tool(effect="once")
async def mail(context: ToolContext) -> str:
    """Mail something; nobody can tell whether it went."""
    return await happen("mail", context)

clerk = Agent(name="clerk", model="openai:gpt-test", tools=[look, book, mail])
'''

SESSIONS = 20
TEXTS = [f"Work on case {number}." for number in range(10)]
TOOLS = ("look", "book", "mail")
CALLS = Reply(text="I will.", calls=tuple(WireCall(name=name) for name in TOOLS))
ANSWER = Reply(text="All done.")
ROLES = ("user", "assistant", "tool", "assistant")


@pytest.fixture
def wire() -> Iterator[WireProcess]:
    with WireProcess() as wire:
        wire.on("work", CALLS, ANSWER)
        yield wire


@pytest.fixture
def world() -> Iterator[WorldProcess]:
    with WorldProcess() as world:
        yield world


async def test_every_tenth_message_lost_and_all_others_doubled_changes_nothing(
    wire, world, system, loop: AsyncPowerLoop, redis_url
):
    system.add_app("clerk_agents", APP)
    for _ in range(2):
        system.start_worker(POWERLOOP_APP="clerk_agents", WORLD_URL=world.url, **wire.environ)
    system.start_beat(POWERLOOP_SWEEP_INTERVAL="0.2")
    conversations = await asyncio.gather(*(converse(loop) for _ in range(SESSIONS)))
    sends = list(chain.from_iterable(conversations))
    results = await asyncio.gather(*(send.result(timeout=60) for send in sends))
    assert {result.status for result in results} == {SendStatus.COMPLETED}
    check_messages(redis_url, len(sends))
    for conversation in conversations:
        await check_order(loop, conversation)
    assert {send.attempt for send in await loop.list_sends(limit=1_000)} == {1}
    # Two model calls and three tool calls each, and none of them twice.
    assert wire.stats().served == 2 * len(sends)
    done = Counter((request.send, request.tool) for request in world.requests())
    assert done == Counter((send.id, tool) for send in sends for tool in TOOLS)
    assert len(world.keys("book")) == len(sends)


async def converse(loop: AsyncPowerLoop) -> list[SendHandle]:
    session = await loop.create_session("clerk")
    return [await loop.send(session.id, text) for text in TEXTS]


def check_messages(redis_url: str, sends: int) -> None:
    """Check that each message went through the channel above: a tenth of them was thrown away."""
    with redis.Redis.from_url(redis_url) as counts:
        messages = int(counts.get("messages"))
    assert messages - messages // 10 >= sends


async def check_order(loop: AsyncPowerLoop, conversation: list[SendHandle]) -> None:
    messages = await loop.messages(conversation[0].session_id)
    assert [message.send_id for message in messages] == [send.id for send in conversation for _ in ROLES]
    assert [str(message.role) for message in messages] == ["user", "assistant", "tool", "assistant"] * len(
        TEXTS
    )
    assert [message.text for message in messages[0::4]] == TEXTS
    assert {message.text for message in messages[3::4]} == {ANSWER.text}
