"""Work that a cancellation must not cut off."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from powerloop.kernel.cancellation import to_its_end, uninterrupted


class Work:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.ended = False

    async def do(self) -> str:
        self.begun.set()
        await self.may_end.wait()
        self.ended = True
        return "done"


async def cancelled_meanwhile(how: Callable[[Any], Awaitable[Any]], work: Work, times: int = 1) -> Any:
    """What `how` makes of the work while its caller is cancelled, and how often it still counts as that."""

    async def caller() -> tuple[Any, int]:
        result = await how(work.do())
        return result, asyncio.current_task().cancelling()  # type: ignore[union-attr]

    task = asyncio.create_task(caller())
    await work.begun.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    work.may_end.set()
    return await task


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancellation_that_comes_too_late_is_forgotten(times):
    assert await cancelled_meanwhile(to_its_end, Work(), times) == ("done", 0)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancellation_takes_effect_once_the_write_is_over(times):
    work = Work()
    with pytest.raises(asyncio.CancelledError):
        await cancelled_meanwhile(uninterrupted, work, times)
    assert work.ended


@pytest.mark.parametrize("how", [to_its_end, uninterrupted])
async def test_a_cancellation_is_not_forgotten_where_the_work_fails(how):
    class Broken(Work):
        async def do(self) -> str:
            await super().do()
            raise LookupError("gone")

    with pytest.raises(asyncio.CancelledError):
        await cancelled_meanwhile(how, Broken())


@pytest.mark.parametrize("how", [to_its_end, uninterrupted])
async def test_what_the_work_raises_comes_out(how):
    async def broken() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await how(broken())
