"""A broker that is another application's too: its messages stay its own."""

import pytest
import redis
from celery import Celery
from kombu import Connection

pytestmark = pytest.mark.integration

ENQUEUE = {"session_id": "s1", "input": "hello"}


def send(url, *names, **options):
    with Celery(broker=url, set_as_current=False) as client:
        return [client.send_task(name, kwargs=ENQUEUE, **options).id for name in names]


@pytest.mark.parametrize("serializer", ["json", "pickle"])
async def test_on_redis_anothers_messages_stay_where_they_are(worker, redis_url, eventually, serializer):
    [ours] = send(redis_url, "powerloop.enqueue")
    send(redis_url, "shop.first", "shop.second", serializer=serializer)
    before = messages(redis_url)
    worker.start()
    await eventually(lambda: "queue left to another application" in worker.log, "the worker sees it", 30)
    [later] = send(redis_url, "powerloop.enqueue", queue="powerloop.enqueue")
    await eventually(lambda: worker.ran(later), "the worker works on", 30)
    assert worker.ran(ours)
    assert messages(redis_url) == before[:2]
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("powerloop.dead") == 0


async def test_on_rabbitmq_anothers_messages_are_given_back(rabbitmq_worker, rabbitmq_url, eventually):
    names = {"shop.first", "shop.second"}
    drained(rabbitmq_url)
    send(rabbitmq_url, *names)
    rabbitmq_worker.start()
    await eventually(lambda: "queue left to another application" in rabbitmq_worker.log, "it is seen", 30)
    [later] = send(rabbitmq_url, "powerloop.enqueue", queue="powerloop.enqueue")
    await eventually(lambda: rabbitmq_worker.ran(later), "the worker works on", 30)
    rabbitmq_worker.stop()
    assert drained(rabbitmq_url) == names


def messages(url):
    """The messages of Celery's default queue, the next one last."""
    with redis.Redis.from_url(url) as client:
        return client.lrange("celery", 0, -1)


def drained(url):
    """The tasks in Celery's default queue, taken out of it."""
    names = set()
    with Connection(url) as connection, connection.channel() as channel:
        channel.queue_declare("celery", durable=True, auto_delete=False)
        while message := channel.basic_get("celery", no_ack=True):
            names.add(message.headers["task"])
    return names
