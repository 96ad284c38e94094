"""The Celery app of the pool's tests: tasks that end in every way, and a lifecycle that takes notes.

Each test runs it in worker processes of its own. It reads ``PROBE_BROKER`` and, as JSON, ``PROBE_CONF``.
"""

import asyncio
import json
import os
import time

import kombu
import kombu.transport.redis
import redis.asyncio
from celery import Celery, chord
from celery.app.amqp import AMQP
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from powerloop.queue.surviving_channel import SurvivingChannel
from powerloop.workers.coroutine_task import CoroutineTask
from powerloop.workers.lifecycle import attach_lifecycle


class SurvivingTransport(kombu.transport.redis.Transport):
    """Without it, the loss of the broker ends Celery 5.7 in every pool, as soon as a task runs."""

    Channel = SurvivingChannel


class SurvivingConnection(kombu.Connection):
    def get_transport_cls(self):
        return SurvivingTransport


class SurvivingAMQP(AMQP):
    Connection = SurvivingConnection


url = os.environ["PROBE_BROKER"]
app = Celery("probe", broker=url, backend=url, amqp=SurvivingAMQP)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_transport_options={"socket_timeout": 5},
)
app.conf.update(json.loads(os.environ.get("PROBE_CONF", "{}")))


class Probe:
    """A lifecycle with a client that is bound to the loop it was made on."""

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        assert loop is asyncio.get_running_loop()
        if "PROBE_FAILS" in os.environ:
            raise ConnectionError("the database is away")
        self.redis = redis.asyncio.Redis.from_url(os.environ["PROBE_BROKER"], decode_responses=True)
        self.draining = asyncio.Event()
        self.meeting = asyncio.Condition()
        self.present = 0
        await self.note("started")

    def begin_drain(self) -> None:
        self.draining.set()

    async def stop(self) -> None:
        await self.note("stopped, was draining" if self.draining.is_set() else "stopped")
        await self.redis.aclose()

    async def note(self, what: str) -> None:
        await self.redis.rpush("notes", f"{os.getpid()} {what}")


probe = Probe()
attach_lifecycle(app, probe)


@app.task(base=CoroutineTask, bind=True)
async def echo(self, value):
    """Return the value, and what the task knows of itself before and after it was suspended."""
    before = self.request.id
    await asyncio.sleep(0.01)
    return {"value": value, "id": [before, self.request.id], "retries": self.request.retries}


@app.task(base=CoroutineTask)
async def nap(name, seconds):
    """Sleep, and count how many do so at once."""
    await probe.note(f"nap {name} begins")
    napping = await probe.redis.incr("napping")
    await probe.redis.lpush("napping:seen", napping)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await probe.note(f"nap {name} cancelled")
        raise
    finally:
        await probe.redis.decr("napping")
    await probe.note(f"nap {name} ends")
    return name


@app.task(base=CoroutineTask)
async def rest(seconds):
    """Sleep, and write nothing down afterwards."""
    await probe.note("rest begins")
    await asyncio.sleep(seconds)
    return "rested"


@app.task(base=CoroutineTask)
async def quick():
    """Do next to nothing."""


@app.task
def plain(value):
    """A task that is no coroutine."""
    return value


@app.task(base=CoroutineTask)
async def fail():
    await asyncio.sleep(0)
    raise ValueError("as it was told")


@app.task(base=CoroutineTask)
async def leave():
    await asyncio.sleep(0)
    raise SystemExit(3)


@app.task(base=CoroutineTask)
async def cancel_itself():
    await asyncio.sleep(0)
    raise asyncio.CancelledError


@app.task(base=CoroutineTask)
async def ignore():
    await asyncio.sleep(0)
    raise Ignore


@app.task(base=CoroutineTask)
async def reject(name, requeue):
    """Reject the message, the first time that it comes."""
    if await probe.redis.incr(f"rejected:{name}") > 1:
        return "accepted at last"
    raise Reject("not now", requeue=requeue)


@app.task(base=CoroutineTask, bind=True, max_retries=3)
async def retry_twice(self):
    await asyncio.sleep(0)
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task(base=CoroutineTask, autoretry_for=(ValueError,), max_retries=3, default_retry_delay=0)
async def retry_by_itself():
    await asyncio.sleep(0)
    if await probe.redis.incr("tries") < 3:
        raise ValueError("again")
    return "done"


@app.task(base=CoroutineTask)
async def heal(request, error, _traceback):
    """An error callback of the newer kind, which Celery calls without a message."""
    await probe.note(f"healed {request.id}: {error}")


@app.task(base=CoroutineTask)
async def note_error(task_id):
    """An error callback of the older kind, which Celery sends."""
    await probe.note(f"failed {task_id}")


@app.task(base=CoroutineTask)
async def double(number):
    await asyncio.sleep(0)
    return 2 * number


@app.task(base=CoroutineTask)
async def total(numbers):
    await asyncio.sleep(0)
    return sum(numbers)


@app.task
def fan_out(number, body_id):
    """A chord, published from the worker, which has a result backend."""
    chord(double.s(each) for each in range(number))(total.s().set(task_id=body_id))


@app.task(base=CoroutineTask)
async def meet(number):
    """Wait until as many tasks are here, all in this process."""
    async with probe.meeting:
        probe.present += 1
        probe.meeting.notify_all()
        await probe.meeting.wait_for(lambda: probe.present >= number)


@app.task(base=CoroutineTask, soft_time_limit=0.5)
async def soft_limited():
    try:
        await asyncio.sleep(30)
    finally:
        # A second wait, to prove that the cancellation is spent.
        await probe.note("soft limit cleans up")


@app.task(base=CoroutineTask, time_limit=1)
async def hard_limited():
    try:
        await asyncio.sleep(30)
    finally:
        await probe.note("hard limit cleans up")


@app.task(base=CoroutineTask)
async def stubborn():
    """Swallow every cancellation."""
    await probe.note("stubborn begins")
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await probe.note("stubborn swallows")


@app.task(base=CoroutineTask)
async def hand_over():
    """End well at the beginning of the drain."""
    await probe.note("hand_over begins")
    await probe.draining.wait()
    await probe.note("hand_over ends")


@app.task
def block(seconds):
    """Block the event loop."""
    time.sleep(seconds)


@app.task(base=CoroutineTask)
async def block_thread(seconds):
    """Block a thread, not the loop."""
    await probe.note("block_thread begins")
    await asyncio.to_thread(time.sleep, seconds)


@app.task(base=CoroutineTask, bind=True)
async def catch_soft_limit(self):
    """`SoftTimeLimitExceeded` is for the tracer; a coroutine sees its cancellation."""
    try:
        await asyncio.sleep(30)
    except SoftTimeLimitExceeded:
        return "soft"
    except asyncio.CancelledError:
        return "cancelled"
