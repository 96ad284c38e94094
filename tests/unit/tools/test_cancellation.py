"""A call that is cancelled ends as cancelled, whatever its tool makes of that."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import ToolError
from powerloop.tools import FunctionTool, tool

FOREVER = timedelta(hours=1)


async def wait() -> None:
    await asyncio.Event().wait()


async def fail_to_clean_up() -> None:
    try:
        await wait()
    finally:
        raise ValueError("the connection is gone")


async def explain() -> None:
    try:
        await wait()
    except asyncio.CancelledError:
        raise ToolError("I was interrupted.") from None


async def fall_apart() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_to_clean_up())
        group.create_task(wait())


async def leave() -> None:
    try:
        await wait()
    except asyncio.CancelledError:
        raise SystemExit from None


async def run_out_of_time() -> None:
    try:
        await wait()
    except asyncio.CancelledError:
        raise TimeoutError from None


async def cancelled(run: Callable[..., Awaitable[object]], subject: FunctionTool, begun: asyncio.Event):
    """The call, cancelled once its tool has begun."""
    call = asyncio.create_task(run(subject))
    await begun.wait()
    call.cancel()
    await asyncio.wait([call], timeout=10)
    return call


REACTIONS = [wait, fail_to_clean_up, explain, fall_apart, leave, run_out_of_time]


@pytest.mark.parametrize("timeout", [None, FOREVER], ids=["untimed", "timed"])
@pytest.mark.parametrize("reaction", REACTIONS, ids=lambda reaction: reaction.__name__)
async def test_whatever_a_cancelled_tool_raises_its_call_is_cancelled(run, caplog, reaction, timeout):
    begun = asyncio.Event()

    @tool(timeout=timeout)
    async def react() -> None:
        begun.set()
        await reaction()

    assert (await cancelled(run, react, begun)).cancelled()
    assert caplog.records == []


async def test_a_tool_that_ends_all_the_same_has_ended(run):
    begun = asyncio.Event()

    @tool(timeout=FOREVER)
    async def finish() -> str:
        begun.set()
        try:
            await wait()
        except asyncio.CancelledError:
            return "It was too late to stop."
        return ""

    call = await cancelled(run, finish, begun)

    assert (call.result().status, call.result().text) == (CallStatus.DONE, "It was too late to stop.")


async def test_a_blocking_tool_is_not_waited_for(run):
    begun, gate = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @tool
    def block() -> None:
        loop.call_soon_threadsafe(begun.set)
        gate.wait(30)

    try:
        assert (await cancelled(run, block, begun)).cancelled()
        assert not gate.is_set()
    finally:
        gate.set()


async def test_an_async_function_behind_a_plain_one_is_cut_off(run):
    begun = asyncio.Event()

    async def body() -> None:
        begun.set()
        await wait()

    @tool
    def plain():
        return body()

    assert (await cancelled(run, plain, begun)).cancelled()


async def test_a_cancelled_error_of_the_tools_own_fails_its_call(run):
    @tool
    async def give_up() -> None:
        raise asyncio.CancelledError

    assert (await run(give_up)).status is CallStatus.FAILED
