"""What the in-process dispatcher promises: the `Dispatcher` port, with this process as the worker."""

import asyncio

import pytest

from powerloop.client.inprocess import InProcessDispatcher
from powerloop.kernel.queues import SEND_QUEUE, Lane, lanes_of
from powerloop.testing.factories import make_activation

NOTHING = dict.fromkeys(lanes_of(SEND_QUEUE), 0)


class Driver:
    """Takes sends, and ends each when it is told to."""

    def __init__(self):
        self.taken = []
        self.cancelled = []
        self.may_end = asyncio.Event()

    async def __call__(self, send_id):
        self.taken.append(send_id)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.append(send_id)
            raise


@pytest.fixture
async def driver():
    return Driver()


async def test_what_is_published_is_driven_in_the_order_of_publication(driver, eventually):
    dispatcher = InProcessDispatcher(driver, concurrency=10)
    assert await dispatcher.publish([make_activation(number) for number in range(5)])
    await eventually(lambda: len(driver.taken) == 5, "all are taken")
    assert driver.taken == [f"send-{number}" for number in range(5)]
    await dispatcher.close()


async def test_what_waits_already_is_not_put_in_twice(driver, eventually):
    dispatcher = InProcessDispatcher(driver, concurrency=1)
    await dispatcher.publish([make_activation(number) for number in (0, 1, 1, 2)])
    await dispatcher.publish([make_activation(1)])
    assert (await dispatcher.backlog([SEND_QUEUE]))[Lane(SEND_QUEUE, 0)] == 2
    driver.may_end.set()
    await eventually(lambda: len(driver.taken) == 3, "each is taken")
    await dispatcher.publish([make_activation(1)])
    await eventually(lambda: driver.taken[3:] == ["send-1"], "it is taken again when it comes again")
    await dispatcher.close()


async def test_no_more_than_the_concurrency_run_and_higher_priorities_go_first(driver, eventually):
    dispatcher = InProcessDispatcher(driver, concurrency=1)
    await dispatcher.publish([make_activation(0)])
    await eventually(lambda: driver.taken, "one is taken")
    await dispatcher.publish([make_activation(1), make_activation(2, priority=9)])
    assert driver.taken == ["send-0"]
    driver.may_end.set()
    await eventually(lambda: len(driver.taken) == 3, "the others follow")
    assert driver.taken == ["send-0", "send-2", "send-1"]
    await dispatcher.close()


async def test_what_waits_for_its_turn_is_counted_by_priority(driver, eventually):
    dispatcher = InProcessDispatcher(driver, concurrency=1)
    assert await dispatcher.backlog([SEND_QUEUE]) == NOTHING
    await dispatcher.publish([make_activation(0)])
    await eventually(lambda: driver.taken, "one is taken")
    await dispatcher.publish([make_activation(1), make_activation(2, priority=9)])
    assert await dispatcher.backlog([SEND_QUEUE]) == NOTHING | {
        Lane(SEND_QUEUE, 0): 1,
        Lane(SEND_QUEUE, 9): 1,
    }
    await dispatcher.close()
    assert await dispatcher.backlog([SEND_QUEUE]) is None


async def test_a_drive_that_raises_is_logged_and_keeps_no_place(caplog, eventually):
    async def broken(send_id):
        raise RuntimeError("a defect")

    dispatcher = InProcessDispatcher(broken, concurrency=1)
    await dispatcher.publish([make_activation(0), make_activation(1)])
    await eventually(lambda: len(caplog.records) == 2, "both are tried")
    assert {record.message for record in caplog.records} == {"send not driven"}
    await dispatcher.close()


async def test_a_closed_dispatcher_cancels_what_runs_and_publishes_nothing(driver, eventually):
    dispatcher = InProcessDispatcher(driver, concurrency=1)
    await dispatcher.publish([make_activation(0), make_activation(1)])
    await eventually(lambda: driver.taken, "one is taken")
    await dispatcher.close()
    assert driver.cancelled == ["send-0"]
    assert await dispatcher.publish([make_activation(2)]) is False
    assert driver.taken == ["send-0"]


async def test_publishing_nothing_is_done_at_once(driver):
    dispatcher = InProcessDispatcher(driver, concurrency=1)
    assert await dispatcher.publish([])
    await dispatcher.close()
