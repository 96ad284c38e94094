"""The threads of blocking tools: bounded, shared, and left behind when they must be."""

import asyncio
import contextvars
import logging
import threading
from functools import partial

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.tools import AgentToolbox, tool
from powerloop.tools.threads import ToolThreads

FIELDS = {"tool": "test"}


class Meter:
    """Blocks until it is opened, and counts who is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.opened = threading.Event()
        self.inside = 0
        self.most = 0
        self.done = 0

    def __call__(self) -> str:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.opened.wait(30)
        with self._lock:
            self.inside -= 1
            self.done += 1
        return threading.current_thread().name


@pytest.fixture
def meter():
    meter = Meter()
    yield meter
    meter.opened.set()


async def test_a_function_runs_in_another_thread_and_returns():
    name = await ToolThreads(2).run(lambda: threading.current_thread().name, log_fields=FIELDS)

    assert name == "powerloop-tool"


async def test_a_hundred_blocking_tools_share_the_threads_there_are(run, meter, eventually):
    box = AgentToolbox(threads=4)
    block = tool(meter.__call__, name="block")

    calls = [asyncio.create_task(run(block, box=box)) for _ in range(100)]
    await eventually(lambda: meter.inside == 4, "four tools run")
    meter.opened.set()
    outcomes = await asyncio.gather(*calls)

    assert {outcome.status for outcome in outcomes} == {CallStatus.DONE}
    assert (meter.done, meter.most) == (100, 4)


async def test_threads_are_used_again():
    threads = ToolThreads(8)

    names = {await threads.run(threading.get_ident, log_fields=FIELDS) for _ in range(20)}

    assert len(names) < 20
    assert threads.alive <= 2


async def test_an_idle_thread_ends(eventually):
    threads = ToolThreads(2, idle_seconds=0.01)
    await threads.run(int, log_fields=FIELDS)

    await eventually(lambda: threads.alive == 0, "the thread ends")
    assert await threads.run(int, log_fields=FIELDS) == 0


async def test_what_the_function_raises_is_raised():
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await ToolThreads(1).run(fail, log_fields=FIELDS)


async def test_a_stop_iteration_does_not_hang_the_caller():
    with pytest.raises(RuntimeError, match="StopIteration"):
        await ToolThreads(1).run(partial(next, iter(())), log_fields=FIELDS)


async def test_a_call_sees_the_context_of_its_caller_and_leaves_nothing_in_the_thread():
    variable = contextvars.ContextVar("variable", default="unset")
    threads = ToolThreads(1)
    variable.set("mine")

    def swap() -> str:
        seen = variable.get()
        variable.set("theirs")
        return seen

    assert await threads.run(swap, log_fields=FIELDS) == "mine"
    assert variable.get() == "mine"
    assert await threads.run(swap, log_fields=FIELDS) == "mine"


async def test_begun_is_told_when_a_thread_takes_the_function_up(meter, eventually):
    threads = ToolThreads(1)
    begun = []

    first = asyncio.create_task(threads.run(meter, begun=lambda: begun.append(1), log_fields=FIELDS))
    second = asyncio.create_task(threads.run(meter, begun=lambda: begun.append(2), log_fields=FIELDS))
    await eventually(lambda: begun, "the first begins")

    assert begun == [1]
    meter.opened.set()
    await asyncio.gather(first, second)
    assert begun == [1, 2]


async def test_a_cancelled_call_leaves_its_thread_behind_and_says_so(meter, eventually, caplog):
    threads = ToolThreads(1)
    call = asyncio.create_task(threads.run(meter, log_fields=FIELDS))
    await eventually(lambda: meter.inside, "the tool runs")

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert threads.abandoned == 1
    record = caplog.records[-1]
    assert (record.levelname, record.message) == ("WARNING", "tool thread abandoned")
    assert (record.tool, record.abandoned, record.limit) == ("test", 1, 1)
    meter.opened.set()
    await eventually(lambda: threads.abandoned == 0, "the thread is done")


async def test_a_call_that_is_cancelled_in_the_queue_never_runs(meter, eventually, caplog):
    threads = ToolThreads(1)
    first = asyncio.create_task(threads.run(meter, log_fields=FIELDS))
    second = asyncio.create_task(threads.run(meter, log_fields=FIELDS))
    await eventually(lambda: meter.inside, "the first runs")

    second.cancel()
    await asyncio.wait([second])
    meter.opened.set()
    await first

    assert second.cancelled()
    assert (meter.done, caplog.records) == (1, [])


async def test_a_thread_left_behind_is_replaced(meter, eventually):
    threads = ToolThreads(1)
    hung = asyncio.create_task(threads.run(meter, log_fields=FIELDS))
    waiting = asyncio.create_task(threads.run(int, log_fields=FIELDS))
    await eventually(lambda: meter.inside, "the first hangs")

    hung.cancel()

    assert await asyncio.wait_for(waiting, 10) == 0
    assert threads.alive == 2
    meter.opened.set()
    await eventually(lambda: threads.alive == 1, "one thread too many ends")


async def test_there_are_never_more_than_twice_as_many_threads(meter, eventually, caplog):
    threads = ToolThreads(2)
    for count in range(1, 5):
        call = asyncio.create_task(threads.run(meter, log_fields=FIELDS))
        await eventually(lambda count=count: meter.inside == count, "the tool hangs")
        call.cancel()
        await asyncio.wait([call])

    waiting = asyncio.create_task(threads.run(int, log_fields=FIELDS))
    await asyncio.sleep(0)

    assert (threads.alive, waiting.done()) == (4, False)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2 + [logging.ERROR] * 2
    meter.opened.set()
    assert await asyncio.wait_for(waiting, 10) == 0


def test_a_loop_that_is_gone_does_not_break_the_thread(eventually_blocking):
    threads, opened = ToolThreads(1), threading.Event()

    async def leave() -> None:
        call = asyncio.create_task(threads.run(partial(opened.wait, 30), log_fields=FIELDS))
        while not threads.alive:
            await asyncio.sleep(0.001)
        call.cancel()

    asyncio.run(leave())
    opened.set()

    eventually_blocking(lambda: threads.abandoned == 0, "the thread is done")
    assert asyncio.run(threads.run(int, log_fields=FIELDS)) == 0


def test_one_pool_serves_several_loops():
    threads = ToolThreads(1)

    results = [asyncio.run(threads.run(lambda: "done", log_fields=FIELDS)) for _ in range(3)]

    assert results == ["done"] * 3


async def test_a_machine_without_threads_fails_the_call_and_not_the_pool(monkeypatch):
    threads = ToolThreads(1)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await threads.run(int, log_fields=FIELDS)

    assert await threads.run(int, log_fields=FIELDS) == 0
