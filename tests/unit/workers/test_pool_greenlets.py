"""The bridge: plain code in a greenlet that awaits coroutines."""

import asyncio
from contextvars import ContextVar

import pytest
from greenlet import getcurrent
from sqlalchemy.util import await_only, greenlet_spawn

from powerloop.kernel.errors import WrongUse
from powerloop.workers.greenlets import await_in_greenlet, in_bridge, run_in_greenlet


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def run(function, *translate):
    return await run_in_greenlet(function, *translate)


async def test_plain_code_awaits_as_often_as_it_likes():
    assert await run(lambda: await_in_greenlet(doubled(1)) + await_in_greenlet(doubled(20))) == 42


async def test_plain_code_that_awaits_nothing_just_returns():
    assert await run(lambda: 42) == 42


async def test_an_error_of_the_coroutine_is_raised_where_it_was_awaited():
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("as expected")

    def plain():
        with pytest.raises(ValueError, match="as expected"):
            await_in_greenlet(fails())
        return await_in_greenlet(doubled(3))

    assert await run(plain) == 6


async def test_an_error_of_plain_code_is_raised_in_the_coroutine_that_runs_it():
    def plain():
        await_in_greenlet(doubled(1))
        raise KeyError("plain")

    with pytest.raises(KeyError, match="plain"):
        await run(plain)


async def test_the_coroutine_runs_in_the_greenlet_that_awaits_it():
    async def where():
        before = getcurrent()
        await asyncio.sleep(0)
        return before, getcurrent()

    def plain():
        return getcurrent(), *await_in_greenlet(where())

    here, before, after = await run(plain)
    assert here is before is after
    assert here is not getcurrent()


async def test_code_below_a_coroutine_awaits_too():
    async def outer():
        return await_in_greenlet(doubled(4)) + await doubled(1)

    assert await run(lambda: await_in_greenlet(outer())) == 10


async def test_the_loop_goes_on_while_plain_code_waits():
    told = asyncio.Event()

    async def waits():
        await told.wait()

    waiting = asyncio.create_task(run(lambda: await_in_greenlet(waits())))
    await asyncio.sleep(0)
    assert not waiting.done()
    told.set()
    await waiting


async def test_a_thousand_wait_at_once():
    barrier = asyncio.Barrier(1000)
    await asyncio.gather(*(run(lambda: await_in_greenlet(barrier.wait())) for _ in range(1000)))


async def test_a_cancellation_reaches_the_coroutine_and_its_cleanup_may_await():
    trace = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            trace.append(await doubled(5))

    task = asyncio.create_task(run(lambda: await_in_greenlet(waits())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert trace == [10]


async def test_a_cancellation_is_translated_behind_the_coroutine_only():
    seen = []

    async def waits():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    task = asyncio.create_task(
        run(lambda: await_in_greenlet(waits()), lambda _cancelled: TimeoutError("translated"))
    )
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(TimeoutError, match="translated"):
        await task
    assert len(seen) == 1


async def test_task_groups_and_timeouts_work_in_the_coroutine():
    async def group():
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            children = [tasks.create_task(doubled(number)) for number in range(3)]
        return [child.result() for child in children]

    async def too_long():
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    assert await run(lambda: await_in_greenlet(group())) == [0, 2, 4]
    with pytest.raises(TimeoutError):
        await run(lambda: await_in_greenlet(too_long()))


async def test_a_context_variable_set_in_plain_code_is_seen_by_the_coroutines_children():
    span = ContextVar("span", default="none")

    async def child():
        return span.get()

    async def parent():
        return await asyncio.create_task(child())

    def plain():
        span.set("mine")
        return await_in_greenlet(parent())

    assert await run(plain) == "mine"


async def test_sqlalchemys_own_bridge_works_inside_ours():
    async def through_sqlalchemy():
        return await greenlet_spawn(lambda: await_only(doubled(21)))

    assert await run(lambda: await_in_greenlet(through_sqlalchemy())) == 42


async def test_awaiting_elsewhere_is_refused_in_words():
    coroutine = doubled(1)
    assert not in_bridge()
    with pytest.raises(WrongUse, match="inside a task of the asyncio pool"):
        await_in_greenlet(coroutine)
    coroutine.close()
