"""`Sessions.pause` and `Sessions.resume`: a session whose sends are accepted, and not claimed."""

from datetime import timedelta

import pytest

from powerloop.kernel.errors import SessionNotFound
from powerloop.kernel.ids import SessionId, WorkerId
from powerloop.kernel.queues import SEND_QUEUE, Lane, lanes_of
from powerloop.kernel.sends import SendStatus

WORKER = WorkerId("worker-1")


async def claim(desk, send):
    desk.leases.renew(WORKER, desk.LONG)
    return await desk.store.journal.claim(send, WORKER)


async def test_no_send_of_a_paused_session_is_claimed_until_it_is_resumed(desk):
    session = await desk.session()
    assert session.paused_at is None
    paused = await desk.store.sessions.pause(session.id)
    assert paused.paused_at is not None
    assert (await desk.store.sessions.pause(session.id)).paused_at == paused.paused_at
    accepted = await desk.accept(session)
    assert accepted.is_head
    assert await claim(desk, accepted.send) is None
    assert (await desk.store.sends.find(accepted.send.id)).status is SendStatus.QUEUED
    resumed = await desk.store.sessions.resume(session.id)
    assert (resumed.session.paused_at, resumed.ready.id) == (None, accepted.send.id)
    assert resumed.ready.dispatched_at >= accepted.send.dispatched_at
    assert await claim(desk, resumed.ready)


async def test_what_runs_goes_on_to_its_end_and_the_next_one_waits(desk):
    running = await desk.running()
    session = await desk.session_of(running)
    await desk.accept(session, "later")
    await desk.store.sessions.pause(session.id)
    finished = await desk.store.journal.finish(running.fence, desk.completed())
    if finished.next_head:
        assert await claim(desk, finished.next_head) is None
    resumed = await desk.store.sessions.resume(session.id)
    assert resumed.ready.id == "later"
    assert await claim(desk, resumed.ready)


async def test_a_send_that_is_to_end_is_claimed_all_the_same(desk):
    running = await desk.running()
    session = await desk.session_of(running)
    given = await desk.store.journal.hand_over(running.fence)
    await desk.store.sessions.pause(session.id)
    assert await claim(desk, given) is None
    await desk.store.sends.cancel(given.id)
    assert await claim(desk, given)


async def test_what_waits_for_a_pause_to_end_is_not_lost(desk):
    session = await desk.session()
    send = (await desk.accept(session)).send
    await desk.store.sessions.pause(session.id)
    margin = timedelta(seconds=5)
    desk.leases.raise_marks({Lane(SEND_QUEUE, 0): send.dispatched_at + margin * 2})
    recovery = desk.store.recovery
    assert list(await recovery.overtaken(margin, 10)) == []
    assert list(await recovery.overdue(timedelta(0), lanes_of(SEND_QUEUE), 10)) == []
    await desk.store.sessions.resume(session.id)
    assert len(await recovery.overdue(timedelta(0), lanes_of(SEND_QUEUE), 10)) == 1


async def test_a_worker_claims_anew_what_it_runs_in_a_paused_session(desk):
    running = await desk.running()
    await desk.store.sessions.pause(running.send.session_id)
    again = await desk.store.journal.claim(running.send, running.send.owner)
    assert again.send.attempt == 2
    assert await desk.store.journal.claim(again.send, WorkerId("other")) is None


async def test_to_resume_does_not_say_that_others_were_overtaken(desk):
    session = await desk.session()
    send = (await desk.accept(session)).send
    await desk.store.sessions.pause(session.id)
    resumed = await desk.store.sessions.resume(session.id)
    assert resumed.ready.dispatched_at == send.dispatched_at


async def test_an_idle_session_has_nothing_to_publish(desk):
    session = await desk.session()
    assert (await desk.store.sessions.resume(session.id)).ready is None
    await desk.store.sessions.pause(session.id)
    assert (await desk.store.sessions.resume(session.id)).ready is None


async def test_nobody_pauses_what_is_not_there(desk):
    for verb in (desk.store.sessions.pause, desk.store.sessions.resume):
        with pytest.raises(SessionNotFound):
            await verb(SessionId("nobody"))
