"""A message that no worker could take is buried, and the worker goes on. Each case is one that was tried."""

import base64
import json

import pytest
import redis
from kombu import Connection

from powerloop.queue.dead_letters import DEAD_LETTERS, MAX_DEAD_LETTERS

pytestmark = pytest.mark.integration

QUEUE = "powerloop.send"


def encoded(content):
    return base64.b64encode(json.dumps(content).encode()).decode()


def make_message(number):
    """A good one."""
    return {
        "body": encoded([[f"good-{number}"], {}, {}]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "powerloop.send", "id": f"good-{number}", "lang": "js"},
        "properties": {
            "correlation_id": f"good-{number}",
            "delivery_tag": f"tag-{number}",
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "body_encoding": "base64",
        },
    }


def change(*path, to=None, without=False):
    def changed(message):
        *parents, last = path
        for parent in parents:
            message = message[parent]
        if without:
            del message[last]
        else:
            message[last] = to

    return changed


#: What is done to a good message, and what the dead letter says. `None`: the task takes it, and fails.
CASES = {
    "no id": (change("headers", "id", without=True), "headers.id is missing"),
    "id is a number": (change("headers", "id", to=7), "headers.id is missing"),
    "unknown task and no id": (change("headers", to={"task": "nobody.knows"}), "headers.id is missing"),
    "no headers": (change("headers", without=True), "headers is no object"),
    "empty headers": (change("headers", to={}), "headers.task is missing"),
    "no properties": (change("properties", without=True), "properties is no object"),
    "no delivery tag": (
        change("properties", "delivery_tag", without=True),
        "properties.delivery_tag is missing",
    ),
    "no delivery info": (
        change("properties", "delivery_info", without=True),
        "properties.delivery_info is no object",
    ),
    "no routing key": (
        change("properties", "delivery_info", to={"exchange": ""}),
        "properties.delivery_info.routing_key is no text",
    ),
    "body is no base64": (change("body", to="***"), "body is no base64"),
    "body is no JSON": (change("body", to=base64.b64encode(b"{").decode()), "body is no JSON"),
    "body is no list of three": (change("body", to=encoded([[], {}])), "body is no list"),
    "body is an object": (change("body", to=encoded({"args": []})), "body is no list"),
    "args are no list": (change("body", to=encoded(["x", {}, {}])), "body is no list"),
    "no body": (change("body", without=True), "body is no text"),
    "pickled": (change("content-type", to="application/x-python-serialize"), "content-type is not"),
    "time limits are no list": (change("headers", "timelimit", to=5), "headers.timelimit is no list"),
    "time limits are no pair": (change("headers", "timelimit", to=[5]), "headers.timelimit is no pair"),
    "shadow is a list": (change("headers", "shadow", to=[1]), "headers.shadow is no text"),
    "eta is an object": (change("headers", "eta", to={}), "headers.eta is no text"),
    "stamps of a number": (change("headers", "stamped_headers", to=5), "headers.stamped_headers is no list"),
    "encoding is a number": (change("content-encoding", to=5), "content-encoding is no text"),
    "chain of nothing": (
        change("body", to=encoded([[], {}, {"chain": [{"task": "x"}]}])),
        "embed.chain is no list",
    ),
    "unknown task": (change("headers", "task", to="nobody.knows"), "no task is named 'nobody.knows'"),
    "malformed eta": (change("headers", "eta", to="tomorrow"), "InvalidTaskError: invalid ETA value"),
    "malformed expiry": (change("headers", "expires", to="never"), "InvalidTaskError: invalid expires value"),
    "too many arguments": (change("body", to=encoded([["a", "b", "c"], {}, {}])), None),
    "unknown keyword": (change("body", to=encoded([["a"], {"mood": "good"}, {}])), None),
}

RAW = {
    "not JSON": (b"hello", "the message is no JSON"),
    "not Unicode": (b"\xff\xfe\x00", "the message is no JSON"),
    "empty": (b"", "the message is no JSON"),
    "a number": (b"5", "the message is no object"),
    "a list": (b"[]", "the message is no object"),
    "nested without end": (b"[" * 100_000, "the message is no JSON"),
}


def poison(name):
    change_it, defect = CASES[name]
    message = make_message("poison")
    change_it(message)
    return json.dumps(message).encode(), defect


def same(text, other):
    """Whether both say the same; a message that was delivered has become another text of the same JSON."""
    return text == other or json.loads(text) == json.loads(other)


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.timeout(300)
async def test_after_each_malformed_message_the_worker_runs_a_good_one(worker, client, eventually):
    worker.start()
    expected = []
    cases = {name: poison(name) for name in CASES} | RAW
    for number, (name, (message, defect)) in enumerate(cases.items()):
        client.lpush(QUEUE, message)
        client.lpush(QUEUE, json.dumps(make_message(number)))
        await eventually(
            lambda number=number: worker.ran(f"good-{number}"),
            f"a good message runs after: {name}",
            within=30,
        )
        if defect is not None:
            expected.append((name, message, defect))
    letters = [json.loads(letter) for letter in reversed(client.lrange(DEAD_LETTERS, 0, -1))]
    assert len(letters) == len(expected)
    for letter, (name, message, defect) in zip(letters, expected, strict=True):
        assert set(letter) == {"error", "queue", "message", "at"}
        assert letter["error"].startswith(defect), name
        assert letter["queue"] == QUEUE
        assert same(letter["message"], message.decode(errors="backslashreplace")), name
    assert client.hlen("unacked") == 0, "nothing is left to be delivered again"


async def test_the_list_of_dead_letters_is_bounded(worker, client, eventually):
    client.rpush(DEAD_LETTERS, *(["old"] * MAX_DEAD_LETTERS))
    client.lpush(QUEUE + "\x06\x169", "malformed")
    worker.start()
    await eventually(lambda: client.lindex(DEAD_LETTERS, 0) != b"old", "the message is buried", within=30)
    assert client.llen(DEAD_LETTERS) == MAX_DEAD_LETTERS
    assert json.loads(client.lindex(DEAD_LETTERS, 0))["queue"] == QUEUE


async def test_on_rabbitmq_a_malformed_message_is_rejected_and_the_worker_goes_on(
    rabbitmq_worker, rabbitmq_url, eventually
):
    cases = {name: make for name, (make, defect) in CASES.items() if defect}
    rabbitmq_worker.start()
    await eventually(lambda: "ready." in rabbitmq_worker.log, "the worker consumes", within=30)
    with Connection(rabbitmq_url) as connection, connection.Producer() as producer:

        def publish(message):
            producer.publish(
                base64.b64decode(message.get("body", "")) if message.get("body") != "***" else b"***",
                routing_key=QUEUE,
                headers=message.get("headers"),
                content_type=message["content-type"],
                content_encoding=str(message["content-encoding"]),
            )

        for number, (name, change_it) in enumerate(cases.items()):
            message = make_message("poison")
            change_it(message)
            publish(message)
            publish(make_message(number))
            await eventually(
                lambda number=number: rabbitmq_worker.ran(f"good-{number}"),
                f"one runs after: {name}",
                within=30,
            )
