"""Producers without a database: plain Celery clients, and the wire contract."""

import asyncio
import json
from functools import partial

import pytest

from powerloop import AsyncPowerLoop, SendStatus

pytestmark = pytest.mark.acceptance

#: A Celery client on whose side no powerloop is imported.
CLIENT = """
import json, os, sys
from celery import Celery

app = Celery(broker=os.environ["BROKER"])
options = json.loads(os.environ["OPTIONS"])
sent = app.send_task("powerloop.enqueue", kwargs=json.loads(os.environ["KWARGS"]), **options)
assert not any(name.split(".")[0] == "powerloop" for name in sys.modules)
print(sent.id)
"""


@pytest.fixture
def enqueue(system, run_script):
    async def enqueue(options=None, **kwargs) -> str:
        told = {
            "BROKER": system.settings.redis_url,
            "KWARGS": json.dumps(kwargs),
            "OPTIONS": json.dumps(options or {}),
        }
        done = await asyncio.to_thread(run_script, CLIENT, **told)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return enqueue


async def test_a_plain_celery_client_starts_a_send(system, loop: AsyncPowerLoop, enqueue, eventually):
    system.start_worker()
    # Without a queue, and with ours.
    for options in ({}, {"queue": "powerloop.enqueue"}):
        send_id = await enqueue(options, session_id="foreign", agent="echo", input=f"hello {options}")
        await eventually(partial(is_accepted, loop, send_id), "the send is accepted")
        result = await (await loop.get_send(send_id)).result(timeout=30)
        assert (result.status, result.text) == (SendStatus.COMPLETED, f"hello {options}")


BAD = [
    ({"input": "x"}, "session_id: Field required"),
    ({"session_id": "s", "input": "x", "sesion": 1}, "sesion: Extra inputs are not permitted"),
    ({"session_id": "nowhere", "input": "x"}, "there is no session 'nowhere'"),
    ({"session_id": "s", "input": "x", "agent": "ehco"}, "Did you mean 'echo'?"),
    ({"session_id": "s", "input": [{"type": "video"}], "agent": "echo"}, "unknown type 'video'"),
]


async def test_bad_kwargs_give_a_failed_task_with_a_readable_error_and_no_row(
    system, loop: AsyncPowerLoop, enqueue, eventually
):
    worker = system.start_worker()
    for kwargs, problem in BAD:
        failed = f"Task powerloop.enqueue[{await enqueue(**kwargs)}] raised"
        await eventually(lambda failed=failed: failed in worker.output(), f"the task fails: {problem}")
        assert problem in worker.output().split(failed)[1]
    assert await loop.list_sends() == []


async def test_the_same_message_twice_is_one_send(system, loop: AsyncPowerLoop, enqueue, eventually):
    worker = system.start_worker()
    for _ in range(2):
        await enqueue({"task_id": "twice"}, session_id="foreign", agent="echo", input="once")
    succeeded = "Task powerloop.enqueue[twice] succeeded"
    await eventually(lambda: worker.output().count(succeeded) == 2, "both messages are taken")
    [send] = await loop.list_sends()
    assert (send.id, send.position) == ("twice", 1)


async def is_accepted(loop: AsyncPowerLoop, send_id: str) -> bool:
    return send_id in [send.id for send in await loop.list_sends(session_id="foreign")]
