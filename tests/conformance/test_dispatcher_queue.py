"""What every `Dispatcher` that publishes to workers promises; read back with a plain Celery client."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from celery import Celery
from kombu import Connection

from powerloop.kernel.queues import SEND_QUEUE, SEND_QUEUES, SUBAGENT_QUEUE, Lane, lanes_of
from powerloop.queue import create_app, open_dispatcher
from powerloop.queue.kombu_dispatcher import KombuDispatcher
from powerloop.queue.memory import MemoryDispatcher
from powerloop.queue.redis_dispatcher import RedisDispatcher
from powerloop.testing.factories import make_activation


class Memory:
    def __init__(self):
        self.dispatcher = MemoryDispatcher()

    async def taken(self):
        taken = sorted(self.dispatcher.published, key=lambda activation: -activation.priority)
        self.dispatcher.published.clear()
        return [activation.id for activation in taken]

    async def go_away(self):
        self.dispatcher.away = True


class Broker:
    """A broker, as a plain client sees it."""

    def __init__(self, dispatcher, url, away_url):
        self.dispatcher, self.url, self.away_url = dispatcher, url, away_url

    async def messages(self):
        return await asyncio.to_thread(self._messages)

    def _messages(self):
        with Connection(self.url) as connection:
            return [message for queue in SEND_QUEUES for message in self._messages_of(queue, connection)]

    def _messages_of(self, queue, connection):
        with suppress(connection.channel_errors), connection.channel() as channel:
            while message := channel.basic_get(queue, no_ack=True):
                yield channel.message_to_python(message)

    async def taken(self):
        return [message.headers["id"] for message in await self.messages()]

    async def go_away(self):
        await self.dispatcher.close()
        self.dispatcher = open_dispatcher(self.away_url)


def open_broker(kind, request):
    if kind == "rabbitmq":
        url = request.getfixturevalue("rabbitmq_url")
        return Broker(open_dispatcher(url), url, "amqp://guest:guest@127.0.0.1:1//")
    url = request.getfixturevalue("redis_url")
    dispatcher = RedisDispatcher(url) if kind == "redis" else KombuDispatcher(create_app(url))
    return Broker(dispatcher, url, "redis://127.0.0.1:1/0")


RABBITMQ = pytest.param("rabbitmq", marks=pytest.mark.takes("rabbitmq"))


@pytest.fixture(params=["memory", "redis", "kombu", RABBITMQ])
async def broker(request):
    broker = Memory() if request.param == "memory" else open_broker(request.param, request)
    await broker.taken()
    yield broker
    await broker.taken()
    await broker.dispatcher.close()


@pytest.fixture(params=["redis", "kombu", RABBITMQ])
async def wire(request):
    """A broker whose messages can be looked at."""
    broker = open_broker(request.param, request)
    await broker.taken()
    yield broker
    await broker.taken()
    await broker.dispatcher.close()


async def test_what_is_published_first_is_taken_first(broker):
    assert await broker.dispatcher.publish([make_activation(number) for number in range(5)])
    assert await broker.dispatcher.publish([make_activation(number) for number in range(5, 8)])
    assert await broker.taken() == [f"send-{number}" for number in range(8)]


async def test_higher_priorities_are_taken_first_and_the_order_is_kept_within_one(broker):
    priorities = [0, 5, 9, 0, 5, 9, 2]
    assert await broker.dispatcher.publish(
        [make_activation(number, priority) for number, priority in enumerate(priorities)]
    )
    assert await broker.taken() == [f"send-{number}" for number in (2, 5, 1, 4, 6, 0, 3)]


async def test_nothing_to_publish_is_published(broker):
    assert await broker.dispatcher.publish([])
    assert await broker.taken() == []


async def test_a_thousand_are_published_at_once(broker):
    assert await broker.dispatcher.publish([make_activation(number) for number in range(1_001)])
    assert await broker.taken() == [f"send-{number}" for number in range(1_001)]


async def test_a_broker_that_is_away_is_no_error(broker):
    await broker.go_away()
    assert await broker.dispatcher.publish([make_activation(1)]) is False


async def test_what_waits_is_counted_by_priority(broker):
    empty = await broker.dispatcher.backlog(SEND_QUEUES)
    assert empty == dict.fromkeys(lanes_of(*SEND_QUEUES), 0)
    await broker.dispatcher.publish(
        [make_activation(number, priority) for number, priority in enumerate((0, 0, 9))]
    )
    backlog = await broker.dispatcher.backlog([SEND_QUEUE])
    assert list(backlog) == list(lanes_of(SEND_QUEUE))
    # A broker that has one queue for several priorities counts what lies in that.
    assert backlog[Lane(SEND_QUEUE, 0)] >= 2
    assert backlog[Lane(SEND_QUEUE, 9)] >= 1
    await broker.taken()
    assert await broker.dispatcher.backlog(SEND_QUEUES) == empty


async def test_what_waits_is_counted_by_queue(broker):
    await broker.dispatcher.publish([replace(make_activation(1), queue=SUBAGENT_QUEUE)])
    backlog = await broker.dispatcher.backlog(SEND_QUEUES)
    assert backlog[Lane(SUBAGENT_QUEUE, 0)] == 1
    assert backlog[Lane(SEND_QUEUE, 0)] == 0


async def test_the_priorities_of_a_redis_list_share_its_length(redis_url):
    dispatcher = RedisDispatcher(redis_url)
    await dispatcher.publish(
        [make_activation(number, priority) for number, priority in enumerate((0, 2, 3, 9))]
    )
    backlog = await dispatcher.backlog([SEND_QUEUE])
    assert [backlog[lane] for lane in lanes_of(SEND_QUEUE)] == [1, 2, 2, 2, 0, 0, 0, 1, 1, 1]
    await dispatcher.close()


async def test_a_broker_that_is_away_says_soon_that_it_cannot_count(broker):
    await broker.go_away()
    async with asyncio.timeout(3):
        assert await broker.dispatcher.backlog(SEND_QUEUES) is None


async def test_the_message_carries_ids_only_and_reads_well(wire):
    await wire.dispatcher.publish([make_activation(1)])
    [message] = await wire.messages()
    assert message.decode()[:2] == [["send-1"], {}]
    assert message.headers["task"] == "powerloop.send"
    assert (
        message.headers["id"]
        == message.headers["root_id"]
        == message.properties["correlation_id"]
        == "send-1"
    )
    assert message.headers["parent_id"] is None
    assert message.headers["shadow"] == "send support"
    assert message.headers["argsrepr"] == "session=session-1 send=send-1 'Where is order A-17?'"
    assert message.headers["ignore_result"] is True


async def test_the_message_has_every_header_that_celerys_own_has(wire):
    await wire.dispatcher.publish([make_activation(1)])
    [message] = await wire.messages()
    own = Celery(set_as_current=False).amqp.as_task_v2("send-1", "powerloop.send", args=("send-1",))
    optional = {"replaced_task_nesting", "stamped_headers", "stamps"}
    assert set(own.headers) - optional <= set(message.headers)
    assert message.decode() == [[*own.body[0]], *own.body[1:]]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
async def test_an_outage_is_logged_once(url, caplog):
    dispatcher = open_dispatcher(url)
    for number in range(3):
        assert await dispatcher.publish([make_activation(number)]) is False
    assert [record.message for record in caplog.records if record.name == "powerloop.dispatcher"] == [
        "service away"
    ]
    await dispatcher.close()
