"""Coroutine tasks outside of a worker: called, applied eagerly, and refused in a running loop."""

import asyncio
import os
import threading
import warnings

import pytest
from celery import Celery, signals

from powerloop.kernel.errors import WrongUse
from powerloop.workers.coroutine_task import CoroutineTask
from powerloop.workers.lifecycle import Idle, attach_lifecycle, lifecycle_of
from powerloop.workers.process_loop import process_loop_of


class Recorder(Idle):
    """A lifecycle that remembers what it was told, and on which loop."""

    def __init__(self, fails=0):
        self.told = []
        self.loops = []
        self._fails = fails

    async def start(self, loop):
        self.told.append("start")
        if len(self.told) <= self._fails:
            raise ConnectionError("not yet")
        assert loop is asyncio.get_running_loop()
        self.loops.append(loop)

    def begin_drain(self):
        self.told.append("begin_drain")

    async def stop(self):
        assert asyncio.get_running_loop() is self.loops[-1]
        self.told.append("stop")


@pytest.fixture
def app():
    app = Celery("unit", set_as_current=False)
    yield app
    signals.worker_shutdown.send(sender=None)


@pytest.fixture
def loops(app):
    """A task that says on which loop it runs."""

    @app.task(base=CoroutineTask, name="loops", shared=False)
    async def task():
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    return task


def test_a_coroutine_task_can_be_called_and_applied(app):
    @app.task(base=CoroutineTask, name="add", shared=False)
    async def add(left, right):
        await asyncio.sleep(0)
        return left + right

    assert add(1, right=2) == 3
    assert add.apply((1, 2)).get() == 3


def test_a_class_with_a_coroutine_body_is_one_too(app):
    class Add(CoroutineTask):
        name = "add_by_class"

        async def run(self, left, right):
            await asyncio.sleep(0)
            return left + right, self.name

    assert app.register_task(Add()).apply((1, 2)).get() == (3, "add_by_class")


def test_a_body_that_is_no_coroutine_stays_one(app):
    @app.task(base=CoroutineTask, name="add_plainly", shared=False)
    def add(left, right):
        return left + right

    assert add.apply((1, 2)).get() == 3


def test_its_request_is_there_in_the_coroutine(app):
    @app.task(base=CoroutineTask, name="ids", bind=True, shared=False)
    async def ids(self):
        before = self.request.id
        await asyncio.sleep(0)
        return before, self.request.id

    assert ids.apply(task_id="mine").get() == ("mine", "mine")


def test_concurrent_calls_see_their_own_requests(app):
    barrier = threading.Barrier(5)

    @app.task(base=CoroutineTask, name="own_ids", bind=True, shared=False)
    async def ids(self):
        await asyncio.to_thread(barrier.wait)
        return self.request.id

    seen = {}

    def call(name):
        seen[name] = ids.apply(task_id=name).get()

    threads = [threading.Thread(target=call, args=(f"task-{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {name: name for name in seen}
    assert len(seen) == 5


def test_automatic_retries_see_the_coroutines_errors(app):
    tries = []

    @app.task(base=CoroutineTask, name="flaky", autoretry_for=(ValueError,), default_retry_delay=0)
    async def flaky():
        await asyncio.sleep(0)
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("again")
        return len(tries)

    assert flaky.apply().get() == 3


def test_all_tasks_of_a_process_run_on_one_loop(app, loops):
    assert loops() is loops()


def test_the_lifecycle_starts_with_the_first_task_and_stops_with_the_worker(app, loops):
    recorder = Recorder()
    attach_lifecycle(app, recorder)
    assert recorder.told == []
    assert loops() is loops() is recorder.loops[0]
    signals.worker_shutting_down.send(sender=None)
    signals.worker_shutdown.send(sender=None)
    assert recorder.told == ["start", "begin_drain", "stop"]
    assert recorder.loops[0].is_closed()


def test_a_lifecycle_that_cannot_start_fails_the_task_and_is_tried_again(app, loops):
    recorder = Recorder(fails=1)
    attach_lifecycle(app, recorder)
    with pytest.raises(ConnectionError):
        loops()
    assert loops() is recorder.loops[0]


def test_a_forked_child_gets_a_loop_of_its_own(app, loops):
    recorder = Recorder()
    attach_lifecycle(app, recorder)
    parents_loop = loops()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads, from 3.12 on.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        same = loops() is parents_loop
        os.write(writer, f"{same} {len(recorder.told)}".encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as answer:
        assert answer.read() == "False 2"


async def test_a_call_in_a_running_loop_is_refused_in_words(app, loops):
    with pytest.raises(WrongUse, match=r"await task.__wrapped__"):
        loops()
    assert await loops.__wrapped__() is asyncio.get_running_loop()


def test_an_app_carries_its_lifecycle_and_one_process_loop(app):
    assert isinstance(lifecycle_of(app), Idle)
    recorder = Recorder()
    attach_lifecycle(app, recorder)
    assert lifecycle_of(app) is recorder is app.powerloop_runtime
    assert process_loop_of(app) is process_loop_of(app)
