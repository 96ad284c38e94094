"""A stock Celery worker on our app takes what we publish, and what plain Celery clients publish."""

import pytest
from celery import Celery

from powerloop.queue import open_dispatcher
from powerloop.testing.factories import make_activation

pytestmark = pytest.mark.integration

KWARGS = {"session_id": "s1", "input": "Where is order A-17?"}


async def published(url, *activations):
    dispatcher = open_dispatcher(url)
    assert await dispatcher.publish(activations)
    await dispatcher.close()


async def test_a_worker_runs_what_was_published_by_priority_then_first_come(worker, redis_url, eventually):
    priorities = [0, 5, 9, 0, 5, 9]
    await published(redis_url, *(make_activation(n, priority) for n, priority in enumerate(priorities)))
    worker.start()
    await eventually(lambda: len(worker.notes()) == 6, "all six run", within=30)
    assert [note["send_id"] for note in worker.notes()] == [f"send-{n}" for n in (2, 5, 1, 4, 0, 3)]
    assert [note["id"] for note in worker.notes()] == [note["send_id"] for note in worker.notes()]


async def test_a_plain_client_enqueues_by_naming_the_queue(worker, redis_url, eventually):
    with Celery(broker=redis_url, set_as_current=False) as client:
        sent = client.send_task(
            "powerloop.enqueue", kwargs=KWARGS, queue="powerloop.enqueue", task_id="own-id"
        )
    worker.start()
    await eventually(lambda: worker.ran(sent.id), "the worker takes it", within=30)
    assert worker.notes() == [{"task": "powerloop.enqueue", "id": "own-id", "kwargs": KWARGS}]


async def test_a_plain_client_enqueues_without_knowing_any_queue(worker, redis_url, eventually):
    with Celery(broker=redis_url, set_as_current=False) as client:
        sent = client.send_task("powerloop.enqueue", kwargs=KWARGS)
    worker.start()
    await eventually(lambda: worker.ran(sent.id), "the worker takes it", within=30)


async def test_on_rabbitmq_it_is_the_same(rabbitmq_worker, rabbitmq_url, eventually):
    rabbitmq_worker.start()
    await published(rabbitmq_url, make_activation(1))
    with Celery(broker=rabbitmq_url, set_as_current=False) as client:
        named = client.send_task("powerloop.enqueue", kwargs=KWARGS, queue="powerloop.enqueue")
        bare = client.send_task("powerloop.enqueue", kwargs=KWARGS)
    for task_id in ("send-1", named.id, bare.id):
        await eventually(lambda task_id=task_id: rabbitmq_worker.ran(task_id), f"{task_id} runs", within=30)


async def test_a_worker_says_ping_and_its_broker_keeps_its_scheme(worker, redis_url, eventually):
    worker.start()
    with Celery(broker=redis_url, set_as_current=False) as client:
        await eventually(lambda: client.control.ping(timeout=0.5), "the worker answers", within=30)
    assert "redis://:**@127.0.0.1" in worker.log
