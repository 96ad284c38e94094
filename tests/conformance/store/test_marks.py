"""`Leases.raise_marks` and `Leases.held`: what the heartbeat writes and hears beside the renewal."""

from datetime import UTC, datetime, timedelta

from powerloop.kernel.ids import WorkerId
from powerloop.kernel.queues import SEND_QUEUE, SUBAGENT_QUEUE, Lane

MARGIN = timedelta(seconds=5)
OWNER = WorkerId("worker-1")
LOW, MIDDLE, HIGH = (Lane(SEND_QUEUE, priority) for priority in (0, 5, 9))


async def overtaken(desk):
    return [send.id for send in await desk.store.recovery.overtaken(MARGIN, 10)]


async def test_a_mark_never_falls(desk):
    send = (await desk.accept(await desk.session())).send
    desk.leases.raise_marks({LOW: send.dispatched_at + MARGIN * 2})
    desk.leases.raise_marks({LOW: send.dispatched_at - MARGIN})
    assert await overtaken(desk) == [send.id]


async def test_marks_of_one_priority_say_nothing_of_another(desk):
    low = (await desk.accept(await desk.session())).send
    high = (await desk.accept(await desk.session(), priority=9)).send
    desk.leases.raise_marks({LOW: low.dispatched_at, MIDDLE: datetime(2100, 1, 1, tzinfo=UTC)})
    desk.leases.raise_marks({HIGH: high.dispatched_at + MARGIN * 2, LOW: low.dispatched_at})
    assert await overtaken(desk) == [high.id]


async def test_marks_of_one_queue_say_nothing_of_another(desk):
    send = (await desk.accept(await desk.session())).send
    desk.leases.raise_marks({Lane(SUBAGENT_QUEUE, 0): send.dispatched_at + MARGIN * 2})
    assert await overtaken(desk) == []


async def test_no_marks_are_no_statement(desk):
    desk.leases.raise_marks({})
    assert await overtaken(desk) == []


async def test_a_worker_hears_which_sends_run_under_it(desk):
    mine, others = await desk.running(OWNER), await desk.running("worker-2")
    await desk.accept(await desk.session_of(mine))
    (held,) = desk.leases.held(OWNER)
    assert (held.send_id, held.session_id, held.epoch) == (mine.send.id, mine.send.session_id, 1)
    assert not held.cancel_requested
    assert [one.send_id for one in desk.leases.held(WorkerId("worker-2"))] == [others.send.id]


async def test_a_worker_hears_that_a_cancel_was_asked_for(desk):
    claim = await desk.running(OWNER)
    await desk.store.sends.cancel(claim.send.id)
    assert [one.cancel_requested for one in desk.leases.held(OWNER)] == [True]


async def test_what_has_ended_is_held_no_more(desk):
    claim = await desk.running(OWNER)
    await desk.store.journal.finish(claim.fence, desk.completed())
    assert list(desk.leases.held(OWNER)) == []
