"""What every implementation of `Nudges` promises: who runs a send hears at once that its row has changed."""

import asyncio
from dataclasses import replace

import pytest

from powerloop.kernel.ids import WorkerId
from powerloop.kernel.sends import SendStatus
from powerloop.queue.feed import RedisEventFeed
from powerloop.queue.memory import MemoryFeed, MemoryNudges
from powerloop.queue.nudges import CHANNEL, RedisNudgeListener, RedisNudges
from powerloop.queue.redis_address import RedisAddress
from powerloop.testing.factories import make_send

WORKER = WorkerId("host:1:abc")


class Memory:
    def __init__(self):
        self.heard = []
        self.feed = MemoryFeed()
        self.nudges = MemoryNudges(self.heard.append, self.feed.tell_end)

    async def close(self):
        await self.nudges.close()


class Redis:
    """One producer, and one worker that listens."""

    def __init__(self, url):
        self.heard = []
        self.feed = RedisEventFeed(url)
        self.nudges = RedisNudges(url)
        self.listener = RedisNudgeListener(url, WORKER, self.heard.append)
        self._client = RedisAddress.parse(url).client(connections=1, timeout=2)

    async def listens(self):
        return await self._client.pubsub_numsub(CHANNEL.format(WORKER)) == [(CHANNEL.format(WORKER), 1)]

    async def close(self):
        await self.feed.close()
        await self.listener.close()
        await self.nudges.close()
        await self._client.aclose()


@pytest.fixture(params=["memory", "redis"])
async def service(request, eventually):
    if request.param == "memory":
        service = Memory()
    else:
        service = Redis(request.getfixturevalue("redis_url"))
        service.listener.start()
        await eventually(service.listens, "the worker listens")
    yield service
    await service.close()


async def test_the_owner_hears_of_each_nudge_in_order(service, eventually):
    for number in range(3):
        await service.nudges.nudge(replace(make_send(id=f"send-{number}"), owner=WORKER))
    await eventually(lambda: len(service.heard) == 3, "all are heard")
    assert service.heard == ["send-0", "send-1", "send-2"]


async def test_a_nudge_takes_milliseconds(service):
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(20):
        began, heard = loop.time(), len(service.heard)
        await service.nudges.nudge(replace(make_send(), owner=WORKER))
        while len(service.heard) == heard:
            await asyncio.sleep(0)
        took.append(loop.time() - began)
    assert sorted(took)[len(took) // 2] < 0.02


async def test_closing_twice_is_closing_once(service):
    await service.close()
    await service.close()


async def test_who_waits_for_the_end_of_a_send_hears_that_it_has_ended(service):
    send = replace(make_send(), status=SendStatus.CANCELLED, owner=None)
    async with service.feed.ending(send.id) as told:
        told.clear()
        await service.nudges.nudge(send)
        await asyncio.wait_for(told.wait(), 5)
    assert service.heard == []
