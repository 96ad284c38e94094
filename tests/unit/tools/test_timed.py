"""Tools that take too long, blocking and not."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.tools import AgentToolbox, tool

SHORT = timedelta(milliseconds=50)


@pytest.fixture
def gate():
    """Holds blocking tools until the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


async def test_an_async_tool_is_stopped_after_its_time(run):
    stopped = asyncio.Event()

    @tool(effect="read", timeout=SHORT)
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    outcome = await run(hang)

    assert outcome.status is CallStatus.FAILED
    assert outcome.text == (
        "hang took longer than 0.05 s and was stopped. It changes nothing, so it can be called again."
    )
    assert stopped.is_set()


async def test_a_blocking_tool_is_left_behind_after_its_time(run, gate, caplog):
    @tool(timeout=SHORT)
    def hang() -> None:
        gate.wait(30)

    outcome = await run(hang)

    assert outcome.status is CallStatus.FAILED
    assert outcome.text == (
        "hang took longer than 0.05 s and is not waited for any more; it may still be running. "
        "It may have taken effect all the same: find out before you repeat it."
    )
    record = next(record for record in caplog.records if record.message == "tool thread abandoned")
    assert (record.tool, record.send_id, record.call_id) == ("hang", "send-1", "call-1")


@pytest.mark.parametrize(
    ("effect", "hint"),
    [
        ("idempotent", "It can be called again with the same arguments."),
        ("keyed", "find out before you repeat it."),
    ],
)
async def test_the_text_tells_whether_the_call_may_be_repeated(run, effect, hint):
    @tool(effect=effect, timeout=SHORT)
    async def hang() -> None:
        await asyncio.Event().wait()

    assert (await run(hang)).text.endswith(hint)


async def test_a_tool_that_is_in_time_is_left_alone(run):
    @tool(timeout=timedelta(seconds=30))
    def quick() -> str:
        return "done"

    assert (await run(quick)).text == "done"


async def test_a_timeout_error_of_the_tools_own_is_its_own(run):
    @tool(timeout=timedelta(seconds=30))
    async def ask() -> None:
        raise TimeoutError("the server is slow")

    assert "ask raised TimeoutError: the server is slow." in (await run(ask)).text


async def test_a_timeout_is_no_defect(run, caplog):
    @tool(timeout=SHORT)
    async def hang() -> None:
        await asyncio.Event().wait()

    await run(hang)

    record = caplog.records[-1]
    assert (record.levelname, record.message, record.code) == ("WARNING", "tool call failed", "tool.timeout")
    assert record.exc_info is None


async def test_the_wait_for_a_thread_does_not_count(run):
    box = AgentToolbox(threads=1)

    @tool(effect="read", timeout=timedelta(seconds=0.5))
    def nap() -> str:
        time.sleep(0.1)
        return "rested"

    outcomes = await asyncio.gather(*(run(nap, box=box) for _ in range(8)))

    assert [outcome.text for outcome in outcomes] == ["rested"] * 8
