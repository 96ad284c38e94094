"""The sweeper over the store in memory."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest

from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.dispatch import Activation
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, TaskId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import TextBlock, user_message
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.queues import SEND_QUEUE, SEND_QUEUES, Lane, QueueName, lanes_of
from powerloop.kernel.sends import Claim, NewSend, SendStatus
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.sweep import Sweeper, SweepOptions
from powerloop.kernel.tool_tasks import NewToolTask
from powerloop.store.memory import MemoryLeases, MemoryStore
from tests.unit.kernel.clocks import StoppedClock

DEAD = WorkerId("dead")


class Queue:
    """A broker that can lose what lies in it."""

    def __init__(self) -> None:
        self.published: list[SendId] = []
        self.backlog_now: dict[Lane, int] | None = dict.fromkeys(lanes_of(*SEND_QUEUES), 0)

    async def publish(self, activations: Sequence[Activation]) -> bool:
        self.published.extend(activation.id for activation in activations)
        return True

    async def backlog(self, queues: Collection[QueueName]) -> dict[Lane, int] | None:
        return self.backlog_now

    async def close(self) -> None:
        pass


class House:
    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.store = MemoryStore(self.clock)
        self.leases = MemoryLeases(self.store)
        self.queue = Queue()
        options = SweepOptions(margin=timedelta(seconds=5), age=timedelta(seconds=5))
        store = self.store
        recovery = (store.recovery, store.task_recovery, store.workflow_recovery)
        self.sweeper = Sweeper(*recovery, self.queue, self.clock, options)

    async def accept(self, number: int = 1, *, priority: int = 0) -> SendId:
        session = SessionId(f"session-{number}")
        await self.store.sessions.ensure(NewSession(id=session, agent="support"))
        new = NewSend(
            id=SendId(f"send-{number}"),
            session_id=session,
            content=(TextBlock(text="hello"),),
            priority=priority,
        )
        return (await self.store.sends.accept(new)).send.id

    async def claim(self, send_id: SendId, worker: WorkerId = DEAD) -> Claim:
        send = await self.store.sends.find(send_id)
        assert send is not None
        claim = await self.store.journal.claim(send, worker)
        assert claim is not None
        return claim

    async def ask(self, claim: Claim, within: timedelta) -> None:
        question = NewInteraction(
            id=InteractionId("question"),
            kind=InteractionKind.INPUT,
            call_id=CallId("c1"),
            prompt="?",
            within=within,
        )
        await self.suspend(claim, Suspension(interactions=(question,)))

    async def suspend(self, claim: Claim, suspension: Suspension) -> None:
        """Have the send wait for what its call `c1` has come to wait for."""
        call = NewToolCall(id=CallId("c1"), name="ask", arguments={}, effect=Effect.READ, index=0)
        commit = ModelCommit(round=1, message=user_message("?"), calls=(call,), entries=())
        await self.store.journal.commit_model(claim.fence, commit)
        await self.store.journal.suspend(claim.fence, suspension)


@pytest.fixture
def here() -> House:
    return House()


async def test_the_send_of_a_dead_worker_is_queued_and_published(here):
    send_id = await here.accept()
    here.leases.renew(DEAD, timedelta(seconds=4))
    await here.claim(send_id)
    here.clock.seconds = 3
    assert await here.sweeper.sweep() == 0
    here.clock.seconds = 5
    assert await here.sweeper.sweep() == 1
    send = await here.store.sends.find(send_id)
    assert (send.status, send.attempt) == (SendStatus.QUEUED, 1)
    assert here.queue.published == [send_id]


async def test_a_send_whose_question_nobody_answered_in_time_is_published(here):
    send_id = await here.accept()
    await here.ask(await here.claim(send_id), timedelta(seconds=60))
    here.clock.seconds = 59
    assert await here.sweeper.sweep() == 0
    here.clock.seconds = 60
    assert await here.sweeper.sweep() == 1
    assert here.queue.published == [send_id]
    assert (await here.store.sends.find(send_id)).status is SendStatus.QUEUED


async def test_a_send_whose_call_has_slept_is_published(here):
    send_id = await here.accept()
    nap = NewSleep(call_id=CallId("c1"), lasts=timedelta(seconds=60), until=None, result="awake")
    await here.suspend(await here.claim(send_id), Suspension(sleeps=(nap,)))
    here.clock.seconds = 59
    assert await here.sweeper.sweep() == 0
    here.clock.seconds = 60
    assert await here.sweeper.sweep() == 1
    assert here.queue.published == [send_id]


async def test_a_tool_task_that_nobody_drives_is_published_again(here):
    task = NewToolTask(
        id=TaskId("task-1"),
        call_id=CallId("c1"),
        tool="look",
        queue=QueueName("browser"),
        arguments={},
        edited=False,
    )
    await here.suspend(await here.claim(await here.accept()), Suspension(tasks=(task,)))
    here.queue.backlog_now = dict.fromkeys(lanes_of(QueueName("browser")), 0)
    here.clock.seconds = 4
    assert await here.sweeper.sweep() == 0
    here.clock.seconds = 6
    assert await here.sweeper.sweep() == 1
    here.leases.renew(DEAD, timedelta(seconds=4))
    found = await here.store.tool_tasks.find(task.id)
    assert await here.store.tool_tasks.claim(found, DEAD)
    here.clock.seconds = 11
    assert await here.sweeper.sweep() == 1
    assert here.queue.published == [task.id, task.id]


async def test_what_was_published_again_is_not_published_at_each_sweep(here):
    await here.claim(await here.accept())
    here.clock.seconds = 5
    for _ in range(4):
        await here.sweeper.sweep()
        here.clock.seconds += 1
    assert len(here.queue.published) == 1


async def test_a_message_that_was_lost_from_an_empty_queue_is_published_again(here):
    send_id = await here.accept()
    here.clock.seconds = 4
    assert await here.sweeper.sweep() == 0
    here.clock.seconds = 6
    assert await here.sweeper.sweep() == 1
    assert here.queue.published == [send_id]


async def test_a_backlog_is_left_alone_however_old_it_is(here):
    for number in range(20):
        await here.accept(number)
    here.queue.backlog_now = dict.fromkeys(lanes_of(*SEND_QUEUES), 20)
    here.clock.seconds = 3600
    assert await here.sweeper.sweep() == 0


async def test_a_broker_that_does_not_answer_is_not_taken_for_an_empty_one(here):
    await here.accept()
    here.queue.backlog_now = None
    here.clock.seconds = 3600
    assert await here.sweeper.sweep() == 0


async def test_a_message_that_was_overtaken_is_published_again_though_others_wait(here):
    here.queue.backlog_now = dict.fromkeys(lanes_of(*SEND_QUEUES), 20)
    lost = await here.accept(1)
    here.clock.seconds = 2
    slow = await here.accept(2)
    here.clock.seconds = 6
    later = await here.accept(3)
    send = await here.store.sends.find(later)
    here.leases.renew(WorkerId("alive"), timedelta(minutes=1))
    await here.claim(later, WorkerId("alive"))
    here.leases.raise_marks({Lane(SEND_QUEUE, 0): send.dispatched_at})
    assert await here.sweeper.sweep() == 1
    assert here.queue.published == [lost]
    assert (await here.store.sends.find(slow)).status is SendStatus.QUEUED


async def test_priorities_do_not_overtake_each_other(here):
    here.queue.backlog_now = dict.fromkeys(lanes_of(*SEND_QUEUES), 20)
    await here.accept(1, priority=0)
    here.clock.seconds = 60
    urgent = await here.accept(2, priority=9)
    send = await here.store.sends.find(urgent)
    here.leases.renew(WorkerId("alive"), timedelta(minutes=1))
    await here.claim(urgent, WorkerId("alive"))
    here.leases.raise_marks({Lane(SEND_QUEUE, 9): send.dispatched_at})
    assert await here.sweeper.sweep() == 0


async def test_a_store_that_is_away_does_not_end_the_sweeper(here, monkeypatch, caplog, eventually):
    await here.claim(await here.accept())
    reclaim = here.store.recovery.reclaim
    failures = iter([StoreUnavailable("it restarts")] * 2)

    async def flaky(limit):
        for failure in failures:
            raise failure
        return await reclaim(limit)

    monkeypatch.setattr(here.store.recovery, "reclaim", flaky)
    sweeping = asyncio.create_task(here.sweeper.run())
    await eventually(lambda: here.queue.published, "the send is published")
    sweeping.cancel()
    assert "not swept" in [record.message for record in caplog.records]
