"""`ToolTasks` and `TaskRecovery`: calls that run on queues of their own."""

from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import CallId, TaskId, WorkerId
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.queues import Lane, QueueName, lanes_of
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.tool_tasks import NewToolTask, TaskStatus

BROWSER = QueueName("browser")
RUNNER = WorkerId("runner-1")
OTHER = WorkerId("runner-2")
MARGIN = timedelta(seconds=5)


def new_task(name, **fields):
    return NewToolTask(
        id=TaskId(f"task-{name}"),
        call_id=CallId(name),
        tool="look",
        queue=BROWSER,
        arguments={"at": "home"},
        edited=False,
        **fields,
    )


async def suspended(desk, *call_ids, **fields):
    """The claim of a send whose calls wait on a queue of their own, and the tasks."""
    claim = await desk.running(**fields)
    await desk.asked(claim, *call_ids)
    suspension = Suspension(tasks=tuple(new_task(name) for name in call_ids))
    result = await desk.store.journal.suspend(claim.fence, suspension)
    assert result.waiting
    return claim, list(result.started)


async def run(desk, task, worker=RUNNER):
    """The claim of the task by a worker that is alive."""
    desk.leases.renew(worker, desk.LONG)
    return await desk.store.tool_tasks.claim(task, worker)


async def found(desk, task):
    return await desk.store.tool_tasks.find(task.id)


async def statuses(desk, claim):
    return [call.status for call in await desk.store.journal.load_calls(claim.send.id)]


class TestRunning:
    async def test_a_call_waits_while_its_task_is_queued(self, desk):
        claim, [task] = await suspended(desk, "a", priority=3)
        assert (task.status, task.queue, task.priority, task.attempt) == (TaskStatus.QUEUED, BROWSER, 3, 0)
        assert (task.tool, task.arguments, task.edited) == ("look", {"at": "home"}, False)
        assert (task.send_id, task.root_id, task.call_id) == (claim.send.id, claim.send.id, "a")
        assert await found(desk, task) == task
        assert await statuses(desk, claim) == [CallStatus.WAITING]
        assert (await desk.send_of(claim)).status is SendStatus.WAITING

    async def test_the_last_task_that_ends_wakes_the_send(self, desk):
        claim, [first, second] = await suspended(desk, "a", "b")
        assert await desk.store.tool_tasks.conclude(await run(desk, first), desk.done("a")) == ()
        [ready] = await desk.store.tool_tasks.conclude(await run(desk, second), desk.done("b"))
        assert (ready.id, ready.status) == (claim.send.id, SendStatus.QUEUED)
        assert await statuses(desk, claim) == [CallStatus.DONE, CallStatus.DONE]
        ended = await found(desk, first)
        assert (ended.status, ended.owner, ended.attempt) == (TaskStatus.ENDED, RUNNER, 1)
        assert ended.ended_at is not None

    async def test_a_task_that_runs_is_not_claimed_by_another_worker(self, desk):
        _, [task] = await suspended(desk, "a")
        claimed = await run(desk, task)
        assert (claimed.task.attempt, claimed.task.strikes, claimed.call.id) == (1, 1, "a")
        assert await run(desk, task, OTHER) is None

    async def test_a_dead_workers_task_is_claimed_and_the_dead_one_writes_nothing(self, desk):
        claim, [task] = await suspended(desk, "a")
        dead = await run(desk, task)
        desk.leases.release(RUNNER)
        alive = await run(desk, task, OTHER)
        assert (alive.task.attempt, alive.task.strikes) == (2, 2)
        with pytest.raises(Fenced):
            await desk.store.tool_tasks.conclude(dead, desk.done("a", "by the dead"))
        with pytest.raises(Fenced):
            await desk.store.tool_tasks.hand_over(dead)
        await desk.store.tool_tasks.conclude(alive, desk.done("a", "by the living"))
        (call,) = await desk.store.journal.load_calls(claim.send.id)
        assert call.result == "by the living"

    async def test_a_worker_claims_anew_what_it_owns_without_a_strike(self, desk):
        _, [task] = await suspended(desk, "a")
        await run(desk, task)
        again = await run(desk, await found(desk, task))
        assert (again.task.attempt, again.task.strikes) == (2, 1)

    async def test_a_task_that_is_handed_over_is_queued_without_a_strike(self, desk):
        _, [task] = await suspended(desk, "a")
        claimed = await run(desk, task)
        given = await desk.store.tool_tasks.hand_over(claimed)
        assert (given.status, given.owner, given.strikes) == (TaskStatus.QUEUED, None, 0)
        assert given.dispatched_at >= task.dispatched_at
        with pytest.raises(Fenced):
            await desk.store.tool_tasks.conclude(claimed, desk.done("a"))

    async def test_a_call_may_come_to_wait_for_a_person(self, desk):
        claim, [task] = await suspended(desk, "a")
        question = desk.question("a")
        ready = await desk.store.tool_tasks.conclude(
            await run(desk, task), Suspension(interactions=(question,))
        )
        assert ready == ()
        assert (await found(desk, task)).status is TaskStatus.ENDED
        assert (await desk.send_of(claim)).status is SendStatus.WAITING
        answered = await desk.store.interactions.answer(question.id, "yes")
        assert answered.ready.id == claim.send.id

    async def test_a_failed_call_wakes_the_send_too(self, desk):
        claim, [task] = await suspended(desk, "a")
        failed = ToolOutcome(call_id=CallId("a"), status=CallStatus.FAILED, text="no")
        [ready] = await desk.store.tool_tasks.conclude(await run(desk, task), failed)
        assert ready.id == claim.send.id
        assert await statuses(desk, claim) == [CallStatus.FAILED]

    async def test_nothing_is_known_of_a_task_that_never_was(self, desk):
        assert await desk.store.tool_tasks.find(TaskId("nobody")) is None


class TestEnding:
    async def test_the_end_of_a_send_cancels_its_tasks(self, desk):
        claim, [first, second] = await suspended(desk, "a", "b")
        running = await run(desk, first)
        await desk.store.sends.cancel(claim.send.id)
        last = await desk.claimed(await desk.send_of(claim))
        calls = await desk.store.journal.load_calls(claim.send.id)
        outcomes = tuple(
            ToolOutcome(call_id=call.id, status=CallStatus.CANCELLED, text="no") for call in calls
        )
        results = desk.results(*outcomes)
        await desk.store.journal.finish(
            last.fence, Ending.cancelled(rounds=1, messages=(results,), outcomes=outcomes)
        )
        assert [(await found(desk, one)).status for one in (first, second)] == [TaskStatus.CANCELLED] * 2
        with pytest.raises(Fenced):
            await desk.store.tool_tasks.conclude(running, desk.done("a"))

    async def test_a_task_of_a_send_that_is_to_end_is_not_begun(self, desk):
        claim, [task] = await suspended(desk, "a")
        await desk.store.sends.cancel(claim.send.id)
        assert await run(desk, task) is None
        assert (await found(desk, task)).status is TaskStatus.QUEUED

    async def test_what_a_task_comes_to_changes_nothing_for_a_send_that_is_to_end(self, desk):
        claim, [asking, telling] = await suspended(desk, "a", "b")
        first, second = await run(desk, asking), await run(desk, telling)
        await desk.store.sends.cancel(claim.send.id)
        tasks = desk.store.tool_tasks
        assert await tasks.conclude(first, Suspension(interactions=(desk.question("a"),))) == ()
        assert await tasks.conclude(second, desk.done("b")) == ()
        assert [(await found(desk, one)).status for one in (asking, telling)] == [TaskStatus.CANCELLED] * 2
        assert await statuses(desk, claim) == [CallStatus.WAITING, CallStatus.WAITING]
        assert list(await desk.store.interactions.list(send_id=claim.send.id)) == []

    async def test_a_process_hears_which_tasks_it_runs_and_which_nobody_waits_for(self, desk):
        claim, [first, _] = await suspended(desk, "a", "b")
        await run(desk, first)
        (held,) = desk.leases.held_tasks(RUNNER)
        assert (held.task_id, held.attempt, held.cancelled) == (first.id, 1, False)
        assert list(desk.leases.held_tasks(OTHER)) == []
        await desk.store.sends.cancel(claim.send.id)
        assert [one.cancelled for one in desk.leases.held_tasks(RUNNER)] == [True]

    async def test_what_has_ended_is_held_no_more(self, desk):
        _, [task] = await suspended(desk, "a")
        await desk.store.tool_tasks.conclude(await run(desk, task), desk.done("a"))
        assert list(desk.leases.held_tasks(RUNNER)) == []

    async def test_a_session_is_removed_with_its_tasks(self, desk):
        claim, [task] = await suspended(desk, "a")
        await desk.store.tool_tasks.conclude(await run(desk, task), desk.done("a"))
        last = await desk.claimed(await desk.send_of(claim))
        await desk.store.journal.finish(last.fence, desk.completed(rounds=2))
        await desk.store.sessions.delete(claim.send.session_id)
        assert await found(desk, task) is None


class TestRecovery:
    async def test_a_dead_workers_tasks_are_queued_again(self, desk):
        _, [dead, alive] = await suspended(desk, "a", "b")
        await run(desk, dead)
        await run(desk, alive, OTHER)
        desk.leases.release(RUNNER)
        (task,) = await desk.store.task_recovery.reclaim(10)
        assert (task.id, task.status, task.owner) == (dead.id, TaskStatus.QUEUED, None)
        assert (task.attempt, task.strikes) == (1, 1)
        assert list(await desk.store.task_recovery.reclaim(10)) == []

    async def test_a_task_that_a_later_one_overtook_is_published_again(self, desk):
        _, [lost, other] = await suspended(desk, "a", "b")
        await run(desk, other)
        mark = lost.dispatched_at + MARGIN * 2
        desk.leases.raise_marks({Lane(QueueName("other"), 0): mark, Lane(BROWSER, 1): mark})
        assert list(await desk.store.task_recovery.overtaken(MARGIN, 10)) == []
        desk.leases.raise_marks({Lane(BROWSER, 0): mark})
        (task,) = await desk.store.task_recovery.overtaken(MARGIN, 10)
        assert task.id == lost.id
        assert task.dispatched_at > lost.dispatched_at

    async def test_a_task_that_nobody_takes_is_published_again_each_time_later(self, desk, eventually):
        _, [first] = await suspended(desk, "a")
        short = timedelta(seconds=0.1)

        async def overdue():
            return await desk.store.task_recovery.overdue(short, lanes_of(BROWSER), 10)

        assert await desk.store.task_recovery.queues() in ([BROWSER], {BROWSER})
        (second,) = await eventually(overdue, "its age has passed")
        (third,) = await eventually(overdue, "twice its age has passed")
        assert second.dispatched_at - first.dispatched_at >= short
        assert third.dispatched_at - second.dispatched_at >= short * 2
        assert list(await desk.store.task_recovery.overdue(timedelta(0), lanes_of(QueueName("x")), 9)) == []
        assert list(await desk.store.task_recovery.overdue(timedelta(0), [], 9)) == []

    async def test_nothing_is_published_for_a_send_that_is_to_end(self, desk):
        claim, [task] = await suspended(desk, "a")
        await desk.store.sends.cancel(claim.send.id)
        desk.leases.raise_marks({Lane(BROWSER, 0): task.dispatched_at + MARGIN * 2})
        assert list(await desk.store.task_recovery.overtaken(MARGIN, 10)) == []
        assert list(await desk.store.task_recovery.overdue(timedelta(0), lanes_of(BROWSER), 10)) == []

    async def test_what_a_process_does_not_drive_is_given_back_unless_it_was_claimed_anew(self, desk):
        _, [first, second] = await suspended(desk, "a", "b")
        await run(desk, first)
        await run(desk, second)
        held = desk.leases.held_tasks(RUNNER)
        await run(desk, await found(desk, second))
        (given,) = await desk.store.task_recovery.give_back(held)
        assert (given.id, given.status) == (first.id, TaskStatus.QUEUED)
        assert list(await desk.store.task_recovery.give_back([])) == []
