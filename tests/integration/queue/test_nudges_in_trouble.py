import asyncio
import logging
from dataclasses import replace

import pytest

from powerloop.kernel.ids import WorkerId
from powerloop.queue.nudges import RedisNudgeListener, RedisNudges
from powerloop.testing.factories import make_send

pytestmark = pytest.mark.integration

WORKER = WorkerId("host:1:abc")
SEND = replace(make_send(), owner=WORKER)


@pytest.fixture
async def hears(eventually):
    """Nudge until a worker hears; what it heard before counts for nothing."""

    async def wait(nudges, heard):
        async def nudged_and_heard():
            await nudges.nudge(SEND)
            return heard

        heard.clear()
        await eventually(nudged_and_heard, "the worker hears")

    return wait


async def test_others_do_not_hear_it(redis_url, hears):
    heard, others = [], []
    nudges = RedisNudges(redis_url)
    listeners = [
        RedisNudgeListener(redis_url, WORKER, heard.append),
        # What a send without an owner would be told to.
        RedisNudgeListener(redis_url, WorkerId("None"), others.append),
    ]
    for listener in listeners:
        listener.start()
    await hears(nudges, heard)
    await nudges.nudge(replace(SEND, owner=None))
    await hears(nudges, heard)
    assert others == []
    for service in (*listeners, nudges):
        await service.close()


async def test_a_worker_still_hears_after_redis_was_restarted(own_redis, hears, caplog):
    caplog.set_level(logging.INFO, "powerloop.nudges")
    heard = []
    nudges, listener = RedisNudges(own_redis.url), RedisNudgeListener(own_redis.url, WORKER, heard.append)
    listener.start()
    await hears(nudges, heard)
    own_redis.kill()
    await nudges.nudge(SEND)
    own_redis.start()
    await hears(nudges, heard)
    # One outage, told once by whoever met it.
    told = [record.message for record in caplog.records]
    assert told.count("service away") == told.count("service back") in (1, 2)
    await listener.close()
    await nudges.close()


async def test_a_worker_that_starts_while_redis_is_away_hears_once_it_is_back(own_redis, hears):
    own_redis.kill()
    heard = []
    nudges, listener = RedisNudges(own_redis.url), RedisNudgeListener(own_redis.url, WORKER, heard.append)
    listener.start()
    await nudges.nudge(SEND)
    own_redis.start()
    await hears(nudges, heard)
    await listener.close()
    await nudges.close()


async def test_a_worker_hears_again_when_its_connection_went_half_open(proxy, redis_url, hears):
    network, url = proxy
    heard = []
    nudges, listener = RedisNudges(redis_url), RedisNudgeListener(url, WORKER, heard.append)
    listener.start()
    await hears(nudges, heard)
    network.freeze()
    await hears(nudges, heard)
    await listener.close()
    await nudges.close()


async def test_a_nudge_over_a_half_open_connection_gives_up_and_the_next_goes_through(
    proxy, redis_url, hears
):
    network, url = proxy
    heard = []
    nudges, listener = RedisNudges(url), RedisNudgeListener(redis_url, WORKER, heard.append)
    listener.start()
    await hears(nudges, heard)
    network.freeze()
    async with asyncio.timeout(6):
        await nudges.nudge(SEND)
    await hears(nudges, heard)
    await listener.close()
    await nudges.close()


async def test_a_listener_that_is_idle_keeps_its_one_connection(redis_url, client, hears, eventually):
    heard = []
    nudges, listener = RedisNudges(redis_url), RedisNudgeListener(redis_url, WORKER, heard.append)
    listener.start()
    await hears(nudges, heard)
    [before] = await client.client_list("pubsub")

    async def asked_whether_anybody_is_there():
        [now] = await client.client_list("pubsub")
        return now["cmd"] == "ping"

    await eventually(asked_whether_anybody_is_there, "it asks")
    await hears(nudges, heard)
    assert [now["id"] for now in await client.client_list("pubsub")] == [before["id"]]
    await listener.close()
    await nudges.close()
