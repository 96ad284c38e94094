"""`Recovery`: what nobody drives is found, and made ready for a worker."""

from datetime import timedelta

import pytest

from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import Epoch, SendId, WorkerId
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import SEND_QUEUE, Lane, lanes_of
from powerloop.kernel.sends import SendStatus

SHORT, MARGIN = timedelta(milliseconds=200), timedelta(seconds=5)
ALL = lanes_of(SEND_QUEUE)


def held(claim, epoch=None):
    """The claim as its owner's row in the database has it."""
    return Held(
        send_id=claim.send.id,
        session_id=claim.send.session_id,
        epoch=claim.fence.epoch if epoch is None else Epoch(epoch),
        cancel_requested=False,
    )


async def queued(desk, **fields):
    """A send at the head of a session of its own."""
    return (await desk.accept(await desk.session(), **fields)).send


def ids(sends):
    return [send.id for send in sends]


class TestReclaim:
    async def test_a_send_of_a_dead_owner_is_queued_again_and_its_attempt_was_used(self, desk):
        claim = await desk.running("dead")
        desk.leases.release(WorkerId("dead"))
        (send,) = await desk.store.recovery.reclaim(10)

        assert (send.id, send.status, send.owner) == (claim.send.id, SendStatus.QUEUED, None)
        assert (send.attempt, send.strikes, send.epoch) == (1, 1, 1)
        assert send.dispatched_at >= claim.send.started_at
        assert send == await desk.send_of(claim)
        again = await desk.claimed(send, "heir")
        assert (again.send.attempt, again.send.strikes, again.fence.epoch, again.seq) == (2, 2, 2, 1)

    async def test_an_owner_that_is_alive_keeps_its_send(self, desk):
        claim = await desk.running("alive")
        assert list(await desk.store.recovery.reclaim(10)) == []
        assert (await desk.send_of(claim)).status is SendStatus.RUNNING

    async def test_an_owner_that_was_thought_dead_writes_nothing_more(self, desk):
        claim = await desk.running("paused")
        desk.leases.release(WorkerId("paused"))
        await desk.store.recovery.reclaim(10)
        desk.leases.renew(WorkerId("paused"), desk.LONG)
        for write in (
            desk.store.journal.commit_model(claim.fence, desk.asks("a")),
            desk.store.journal.finish(claim.fence, desk.completed()),
            desk.store.journal.hand_over(claim.fence),
        ):
            with pytest.raises(Fenced):
                await write

    async def test_each_is_found_once_and_no_more_than_asked_for(self, desk):
        claims = [await desk.running("dead") for _ in range(5)]
        desk.leases.release(WorkerId("dead"))
        found = [await desk.store.recovery.reclaim(2) for _ in range(4)]
        assert [len(sends) for sends in found] == [2, 2, 1, 0]
        assert {send.id for sends in found for send in sends} == {claim.send.id for claim in claims}


class TestOvertaken:
    async def test_a_send_that_a_later_one_overtook_is_published_again(self, desk):
        lost, other = await queued(desk), await queued(desk, priority=7)
        desk.leases.raise_marks({Lane(SEND_QUEUE, 0): lost.dispatched_at + MARGIN * 2})
        (send,) = await desk.store.recovery.overtaken(MARGIN, 10)

        assert (send.id, send.status, send.attempt) == (lost.id, SendStatus.QUEUED, 0)
        assert send.dispatched_at >= lost.dispatched_at
        assert (await desk.store.sends.find(other.id)).dispatched_at == other.dispatched_at

    async def test_within_the_margin_nothing_is_lost_yet(self, desk):
        send = await queued(desk)
        assert list(await desk.store.recovery.overtaken(MARGIN, 10)) == []
        desk.leases.raise_marks({Lane(SEND_QUEUE, 0): send.dispatched_at + MARGIN})
        assert list(await desk.store.recovery.overtaken(MARGIN, 10)) == []

    async def test_what_runs_or_waits_its_turn_is_not_lost(self, desk):
        claim = await desk.running()
        behind = (await desk.accept(await desk.session_of(claim))).send
        desk.leases.raise_marks({Lane(SEND_QUEUE, 0): claim.send.dispatched_at + MARGIN * 2})
        assert list(await desk.store.recovery.overtaken(MARGIN, 10)) == []
        assert (await desk.store.sends.find(behind.id)).dispatched_at is None

    async def test_no_more_than_asked_for_is_found_at_once(self, desk):
        sends = [await queued(desk) for _ in range(3)]
        desk.leases.raise_marks({Lane(SEND_QUEUE, 0): sends[-1].dispatched_at + MARGIN * 2})
        found = await desk.store.recovery.overtaken(MARGIN, 2)
        assert len(found) == 2


class TestOverdue:
    async def test_a_send_that_nobody_claims_is_published_again_each_time_later(self, desk, eventually):
        first = await queued(desk)

        async def found():
            return await desk.store.recovery.overdue(SHORT, ALL, 10)

        (second,) = await eventually(found, "its age has passed")
        (third,) = await eventually(found, "twice its age has passed")
        (fourth,) = await eventually(found, "four times its age has passed")
        assert second.dispatched_at - first.dispatched_at >= SHORT
        assert third.dispatched_at - second.dispatched_at >= SHORT * 2
        assert fourth.dispatched_at - third.dispatched_at >= SHORT * 4
        assert (fourth.status, fourth.attempt) == (SendStatus.QUEUED, 0)

    async def test_it_is_waited_for_no_more_than_64_times_its_age(self, desk, eventually):
        await queued(desk)
        age = timedelta(milliseconds=1)

        async def found():
            return await desk.store.recovery.overdue(age, ALL, 10)

        for _ in range(13):
            await eventually(found, "64 times its age has passed", within=2.0)

    async def test_other_priorities_and_what_is_no_ready_head_are_left_alone(self, desk, eventually):
        claim = await desk.running()
        await desk.accept(await desk.session_of(claim))
        await queued(desk, priority=3)
        marker = await queued(desk)

        async def found():
            return await desk.store.recovery.overdue(SHORT, [Lane(SEND_QUEUE, 0), Lane(SEND_QUEUE, 9)], 10)

        assert ids(await eventually(found, "the age has passed")) == [marker.id]
        assert list(await desk.store.recovery.overdue(SHORT, [], 10)) == []


class TestResume:
    async def test_a_send_that_waits_for_nothing_is_queued_again(self, desk):
        claim = await desk.running()
        await desk.asked(claim, "a")
        desk.halt(claim.send.id)
        (send,) = await desk.store.recovery.resume(10)
        assert (send.id, send.status, send.attempt) == (claim.send.id, SendStatus.QUEUED, 1)
        assert (await desk.claimed(send)).fence.epoch == 2

    async def test_a_send_that_waits_for_an_answer_waits_on(self, desk):
        claim, _ = await desk.in_doubt("a")
        assert list(await desk.store.recovery.resume(10)) == []
        assert (await desk.send_of(claim)).status is SendStatus.WAITING


class TestAdvance:
    async def test_a_session_whose_head_is_driven_stays_where_it_is(self, desk):
        claim = await desk.running()
        await desk.accept(await desk.session_of(claim))
        assert list(await desk.store.recovery.advance(10)) == []
        assert (await desk.session_of(claim)).finished == 0


class TestGiveBack:
    async def test_a_send_that_its_owner_does_not_drive_is_queued_again(self, desk):
        claim = await desk.running("alive")
        (send,) = await desk.store.recovery.give_back([held(claim)])
        assert (send.id, send.status, send.owner) == (claim.send.id, SendStatus.QUEUED, None)
        assert (send.attempt, send.strikes) == (1, 1)
        # It may well be its owner that claims it next: that is a strike all the same.
        assert (await desk.claimed(send, "alive")).send.strikes == 2

    async def test_one_that_was_claimed_anew_is_left_alone(self, desk):
        claim = await desk.taken_over(await desk.running("worker-1"))
        assert list(await desk.store.recovery.give_back([held(claim, epoch=1)])) == []
        assert (await desk.send_of(claim)).status is SendStatus.RUNNING

    async def test_one_that_has_ended_and_one_that_is_unknown_are_left_alone(self, desk):
        claim = await desk.running()
        await desk.store.journal.finish(claim.fence, desk.completed())
        unknown = Held(
            send_id=SendId("unknown"),
            session_id=claim.send.session_id,
            epoch=Epoch(1),
            cancel_requested=False,
        )
        assert list(await desk.store.recovery.give_back([held(claim), unknown])) == []
        assert list(await desk.store.recovery.give_back([])) == []


class TestForget:
    async def test_leases_that_ran_out_long_ago_are_deleted(self, desk):
        desk.leases.renew(WorkerId("long-dead"), timedelta(hours=-2))
        desk.leases.renew(WorkerId("just-dead"), timedelta(seconds=-1))
        desk.leases.renew(WorkerId("alive"), desk.LONG)
        assert await desk.store.recovery.forget_leases(timedelta(hours=1)) == 1
        assert await desk.store.recovery.forget_leases(timedelta(hours=1)) == 0


async def test_a_cancel_is_remembered_for_a_while_only(desk):
    await desk.store.sends.cancel(SendId("never-sent"))
    assert await desk.store.recovery.forget_cancels(timedelta(hours=1)) == 0
    assert await desk.store.recovery.forget_cancels(timedelta(hours=-1)) == 1
    assert await desk.store.recovery.forget_cancels(timedelta(hours=-1)) == 0
