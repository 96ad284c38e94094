"""The pool as Celery drives it, without a broker and without a hub."""

import asyncio
import threading
import time

import pytest
from celery import Celery
from celery.exceptions import Reject, Terminated
from celery.worker import state

from powerloop.workers.exit_codes import ExitCode
from powerloop.workers.greenlets import await_in_greenlet
from powerloop.workers.lifecycle import Idle, attach_lifecycle
from powerloop.workers.pool import TaskPool, _replace_this_process


class Recorder(Idle):
    """A lifecycle that remembers in which thread it was told what."""

    def __init__(self, fails=False):
        self.told = []
        self._fails = fails

    async def start(self, loop):
        assert loop is asyncio.get_running_loop()
        self._note("start")
        if self._fails:
            raise ConnectionError("no database")

    def begin_drain(self):
        self._note("begin_drain")

    async def stop(self):
        self._note("stop")

    def _note(self, what):
        self.told.append((what, threading.current_thread().name))


class Watched:
    """The callbacks of one job."""

    def __init__(self):
        self.accepted = threading.Event()
        self.ended = threading.Event()
        self.pid = None
        self.result = self.error = None

    def options(self):
        return {"accept_callback": self._accept, "callback": self._succeed, "error_callback": self._fail}

    def _accept(self, pid, _at):
        self.pid = pid
        self.accepted.set()

    def _succeed(self, result):
        self.result = result
        self.ended.set()

    def _fail(self, info):
        self.error = info.exception.exc
        self.ended.set()


def sleep_for_ever():
    await_in_greenlet(asyncio.Event().wait())


@pytest.fixture
def app():
    app = Celery("unit", set_as_current=False)
    app.conf.powerloop_drain_timeout = 0.1
    return app


@pytest.fixture
def lifecycle(app):
    recorder = Recorder()
    attach_lifecycle(app, recorder)
    return recorder


@pytest.fixture
def pool(app, lifecycle):
    pool = TaskPool(2, app=app)
    pool.start()
    yield pool
    pool.terminate()


def applied(pool, target, *args):
    watched = Watched()
    pool.apply_async(target, args, **watched.options())
    return watched


def test_a_job_runs_in_the_loops_thread(pool):
    job = applied(pool, lambda name: (name, threading.current_thread().name), "x")
    assert job.ended.wait(5)
    assert job.result == ("x", "powerloop-pool")
    assert job.accepted.is_set()


def test_the_lifecycle_is_told_in_the_loops_thread_and_in_order(pool, lifecycle):
    pool.close()
    pool.stop()
    thread = "powerloop-pool"
    assert lifecycle.told == [("start", thread), ("begin_drain", thread), ("stop", thread)]


def test_a_lifecycle_that_cannot_start_keeps_the_pool_from_starting(app):
    attach_lifecycle(app, Recorder(fails=True))
    with pytest.raises(ConnectionError):
        TaskPool(1, app=app).start()


def test_an_empty_pool_stops_at_once(pool, app):
    app.conf.powerloop_drain_timeout = 60
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 5


def test_a_stop_waits_for_jobs_that_end_in_time(app, lifecycle):
    app.conf.powerloop_drain_timeout = 60
    pool = TaskPool(1, app=app)
    pool.start()
    job = applied(pool, lambda: await_in_greenlet(asyncio.sleep(0.2, "done")))
    assert job.accepted.wait(5)
    pool.stop()
    assert job.result == "done"


def test_a_stop_requeues_what_runs_at_the_deadline_and_forgets_what_waits(pool):
    running = [applied(pool, sleep_for_ever) for _ in range(2)]
    waiting = applied(pool, sleep_for_ever)
    assert all(job.accepted.wait(5) for job in running)
    pool.stop()
    assert [type(job.error) for job in running] == [Reject, Reject]
    assert all(job.error.requeue for job in running)
    assert not waiting.accepted.is_set()


def test_a_termination_requeues_at_once(app, lifecycle):
    app.conf.powerloop_drain_timeout = 60
    pool = TaskPool(1, app=app)
    pool.start()
    job = applied(pool, sleep_for_ever)
    assert job.accepted.wait(5)
    pool.terminate()
    assert isinstance(job.error, Reject)


def test_a_stop_in_a_cold_shutdown_requeues_at_once(app, lifecycle, monkeypatch):
    app.conf.powerloop_drain_timeout = 60
    pool = TaskPool(1, app=app)
    pool.start()
    job = applied(pool, sleep_for_ever)
    assert job.accepted.wait(5)
    monkeypatch.setattr(state, "should_terminate", True)
    pool.stop()
    assert isinstance(job.error, Reject)


def test_a_job_is_terminated_by_the_id_that_stands_for_its_process(pool):
    job = applied(pool, sleep_for_ever)
    assert job.accepted.wait(5)
    pool.terminate_job(job.pid, 15)
    assert job.ended.wait(5)
    assert isinstance(job.error, Terminated)


def test_the_pool_grows_and_shrinks_but_not_to_nothing(pool):
    pool.grow(3)
    assert pool.num_processes == 5
    pool.shrink(4)
    assert pool.num_processes == 1
    with pytest.raises(ValueError, match="cannot shrink by 1"):
        pool.shrink(1)


def test_a_restart_is_refused_in_words(pool):
    with pytest.raises(NotImplementedError, match="restart the worker process"):
        pool.restart()


def test_the_pool_tells_about_itself(pool):
    job = applied(pool, sleep_for_ever)
    assert job.accepted.wait(5)
    info = pool.info
    assert info["max-concurrency"] == 2
    assert info["running"] == 1
    assert info["waiting"] == info["leaked"] == 0
    assert info["drain-timeout"] == 0.1


def test_a_lost_connection_forgets_the_jobs_that_wait(pool):
    running = [applied(pool, sleep_for_ever) for _ in range(2)]
    applied(pool, sleep_for_ever)
    assert all(job.accepted.wait(5) for job in running)
    pool.flush()
    applied(pool, lambda: None)
    pool.terminate_job(running[0].pid)
    assert running[0].ended.wait(5)
    assert pool.info["waiting"] == 0


def test_a_leak_asks_the_worker_to_shut_down_with_a_telling_code(monkeypatch):
    monkeypatch.setattr(state, "should_stop", None)
    _replace_this_process()
    assert state.should_stop == ExitCode.LEAKED == 81


def test_a_pool_that_never_started_can_be_stopped(app):
    pool = TaskPool(1, app=app)
    pool.close()
    pool.stop()
    pool.terminate()
