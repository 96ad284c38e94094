"""The event loop in a thread of its own."""

import asyncio
import logging
import threading
import time
from concurrent.futures import CancelledError

import pytest

from powerloop.workers.loop_thread import LoopThread


@pytest.fixture
def thread():
    thread = LoopThread("test-loop")
    thread.start()
    yield thread
    thread.stop()


async def where():
    return threading.current_thread().name


def test_a_coroutine_runs_in_the_loops_thread(thread):
    assert thread.run(where()) == "test-loop"
    assert thread.ident != threading.get_ident()


def test_its_error_is_raised_in_the_calling_thread(thread):
    async def fails():
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"):
        thread.run(fails())


def test_a_coroutine_that_was_cancelled_is_an_ordinary_error(thread):
    async def cancels():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    with pytest.raises(CancelledError):
        thread.run(cancels())


def test_what_ends_the_wait_cancels_the_coroutine_and_lets_it_clean_up(thread):
    trace = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            trace.append("cleaned up")

    with pytest.raises(TimeoutError):
        thread.run(waits(), timeout_s=0.01)
    assert trace == ["cleaned up"]


def test_a_stray_exit_does_not_end_the_loop(thread, caplog):
    async def leaves():
        raise SystemExit(1)

    async def starts_one_that_leaves():
        stray = asyncio.create_task(leaves())
        await asyncio.wait([stray])
        return type(stray.exception())

    with caplog.at_level(logging.ERROR):
        assert thread.run(starts_one_that_leaves()) is SystemExit
    assert "tried to end the event loop" in caplog.text
    assert thread.run(where()) == "test-loop"


def test_posts_are_called_in_order(thread):
    called = []
    for number in range(10):
        thread.post(called.append, number)
    thread.run(where())
    assert called == list(range(10))


def test_stopping_cancels_what_still_runs():
    thread = LoopThread("test-loop")
    thread.start()
    ended = threading.Event()

    async def background():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def start():
        return asyncio.create_task(background())

    task = thread.run(start())
    assert thread.stop()
    assert ended.is_set()
    assert task.cancelled()
    thread.post(print, "nobody hears this")


def test_stopping_says_whether_a_blocking_call_was_left_behind():
    thread = LoopThread("test-loop")
    thread.start()
    release = threading.Event()
    blocked = threading.Event()

    def block():
        blocked.set()
        release.wait()

    async def start():
        return asyncio.get_running_loop().run_in_executor(None, block)

    thread.run(start())
    blocked.wait()
    began = time.monotonic()
    assert not thread.stop()
    assert time.monotonic() - began < 10
    release.set()
