import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import redis

from powerloop.kernel.clock import SystemClock
from powerloop.kernel.errors import BrokerUnavailable, SettingsInvalid
from powerloop.queue.dead_letters import DEAD_LETTERS
from powerloop.queue.inspect import SAFE_EVICTION, check_broker, inspect_redis
from powerloop.queue.routing import OUR_QUEUES, redis_lists

pytestmark = pytest.mark.integration


class LateClock(SystemClock):
    def now(self):
        return datetime.now(UTC) - timedelta(seconds=30)


async def test_a_healthy_redis_says_so(own_redis):
    report = await inspect_redis(own_redis.url)
    assert report.address == f"127.0.0.1:{own_redis.port}"
    assert report.version[0].isdigit()
    assert timedelta() < report.ping < timedelta(seconds=1)
    assert abs(report.clock_ahead) < timedelta(seconds=1)
    assert report.eviction_policy == SAFE_EVICTION
    assert report.appends is False
    assert report.queues == dict.fromkeys(OUR_QUEUES, 0)
    assert (report.unacknowledged, report.dead_letters) == (0, 0)


async def test_what_waits_is_counted_over_all_priorities(own_redis):
    with redis.Redis.from_url(own_redis.url) as client:
        for name in redis_lists("powerloop.send"):
            client.lpush(name, "m")
        client.lpush("celery", "m", "m")
        client.lpush(DEAD_LETTERS, "m", "m", "m")
        client.hset("unacked", "tag", "m")
    report = await inspect_redis(own_redis.url)
    assert report.queues == dict.fromkeys(OUR_QUEUES, 0) | {"powerloop.send": 4, "celery": 2}
    assert (report.unacknowledged, report.dead_letters) == (1, 3)


async def test_what_waits_in_the_queues_of_tools_is_counted_if_asked_for(own_redis):
    with redis.Redis.from_url(own_redis.url) as client:
        client.lpush(redis_lists("browser")[1], "m", "m")
    report = await inspect_redis(own_redis.url, tool_queues=["browser", "gpu"])
    assert report.queues == dict.fromkeys(OUR_QUEUES, 0) | {"browser": 2, "gpu": 0}


async def test_a_clock_that_differs_and_a_policy_that_loses_messages_are_seen(own_redis):
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    report = await inspect_redis(own_redis.url, LateClock())
    assert report.eviction_policy == "allkeys-lru"
    assert report.clock_ahead == pytest.approx(timedelta(seconds=30), abs=timedelta(seconds=1))


async def test_a_redis_that_is_away_is_told_in_words():
    with pytest.raises(BrokerUnavailable, match=r"Redis at 127\.0\.0\.1:1 does not answer"):
        await inspect_redis("redis://:secret@127.0.0.1:1/0")


async def test_any_broker_can_be_asked_whether_it_answers(redis_url, rabbitmq_url):
    await asyncio.to_thread(check_broker, redis_url)
    await asyncio.to_thread(check_broker, rabbitmq_url)


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "amqp://guest:secret@127.0.0.1:1//"])
async def test_a_broker_that_is_away_is_told_without_its_password(url):
    with pytest.raises(BrokerUnavailable, match=r"the broker at 127.0.0.1:1 does not answer") as raised:
        await asyncio.to_thread(check_broker, url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["", "localhost", "amqq://localhost", "redis://"])
def test_a_url_of_no_broker_is_refused_in_words(url):
    with pytest.raises(SettingsInvalid, match="the address of"):
        check_broker(url)
