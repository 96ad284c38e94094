import json
from base64 import b64encode

import pytest
from celery import Celery, chain, group
from kombu.message import Message

from powerloop.queue.defects import defect_of, defect_of_delivery
from powerloop.queue.messages import task_message
from powerloop.testing.factories import make_activation


def test_our_own_messages_have_none():
    activation = make_activation(preview="Grüße, 漢字 🙂")
    for preview in (True, False):
        assert defect_of(task_message(activation, origin="1@host", preview=preview).encode()) is None


@pytest.fixture
def app():
    app = Celery(broker="memory://", set_as_current=False)

    @app.task(name="add", shared=False)
    def add(x, y):
        return x + y

    yield app
    app.close()


def envelope(message):
    """What Redis would hold of a message of Celery's."""
    body = json.dumps(message.body, default=dict)
    return json.dumps(
        {
            "body": b64encode(body.encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": message.headers,
            "properties": {
                **message.properties,
                "delivery_tag": "tag",
                "delivery_info": {"exchange": "", "routing_key": "q"},
                "body_encoding": "base64",
            },
        }
    ).encode()


def test_celerys_own_messages_have_none(app):
    add = app.tasks["add"]
    links = [add.s(1), group(add.s(2), add.s(3)), chain(add.s(4), add.s(5))]
    messages = [
        app.amqp.as_task_v2("id", "add", args=(1, 2), kwargs={"z": 3}, countdown=10, expires=20),
        app.amqp.as_task_v2("id", "add", chain=links, callbacks=[add.s(1)], errbacks=[add.s()], group_id="g"),
        app.amqp.as_task_v2(
            "id", "add", chord=add.s(), group_id="g", group_index=1, time_limit=5, shadow="adds"
        ),
        app.amqp.as_task_v2("id", "add", stamped_headers=["stamp"], stamp="a"),
    ]
    for message in messages:
        assert defect_of(envelope(message)) is None


def test_a_minimal_message_of_another_language_has_none():
    minimal = {
        "body": b64encode(b"[[], {}, {}]").decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "powerloop.enqueue", "id": "7"},
        "properties": {
            "delivery_tag": "t",
            "delivery_info": {"exchange": "", "routing_key": "q"},
            "body_encoding": "base64",
        },
    }
    assert defect_of(json.dumps(minimal).encode()) is None


@pytest.mark.parametrize(
    ("headers", "body", "defect"),
    [
        ({"task": "t", "id": "i"}, b"[[],{},{}]", None),
        ({"task": "t", "id": "i"}, "[[],{},null]", None),
        ({"task": "t"}, b"[[],{},{}]", "headers.id is missing"),
        (None, b"[[],{},{}]", "headers.task is missing"),
        ({"task": "t", "id": "i"}, b"[[],{}]", "body is no list of args, kwargs and embed"),
    ],
)
def test_a_message_that_was_delivered_is_judged_alike(headers, body, defect):
    message = Message(body, headers=headers, content_type="application/json", content_encoding="utf-8")
    assert defect_of_delivery(message) == defect
