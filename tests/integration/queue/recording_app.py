"""The Celery app of the queue's tests: tasks that write down that they ran.

Each test runs it in a worker process of its own. It reads ``RECORDING_BROKER`` and ``RECORDING_REDIS``.
"""

import json
import os

import redis
from celery import Task

from powerloop.queue import create_app
from powerloop.queue.routing import ENQUEUE_TASK, SEND_TASK

app = create_app(os.environ["RECORDING_BROKER"])
notes = redis.Redis.from_url(os.environ["RECORDING_REDIS"])


def note(task: Task, **said) -> None:
    notes.rpush("notes", json.dumps({"task": task.name, "id": task.request.id, **said}))


@app.task(name=SEND_TASK, bind=True)
def send(task, send_id):
    note(task, send_id=send_id, redelivered=bool(task.request.delivery_info.get("redelivered")))


@app.task(name=ENQUEUE_TASK, bind=True)
def enqueue(task, **kwargs):
    note(task, kwargs=kwargs)
