"""`Explaining`: what the rows tell of a send that does not run."""

from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.ids import CallId, SendId, TaskId, WorkerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.journal import ResultsCommit
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.queues import SEND_QUEUE, Lane, QueueName
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.subagents import child_of
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.tool_tasks import NewToolTask
from powerloop.kernel.waits import Spawn, SpawnMode
from powerloop.kernel.workflows import NodeStatus, RunStatus
from powerloop.testing.factories import make_agent, make_call
from tests.conformance.store.running import Runs

ONE, TWO = WorkerId("box:1:one"), WorkerId("box:2:two")


def child(claim, call_id, *, awaited=True):
    """A sub-agent that a call of the send starts."""
    mode = SpawnMode.WAIT if awaited else SpawnMode.DETACH
    spawn = Spawn(agent="support", content=(TextBlock(text="Look!"),), mode=mode)
    return child_of(make_agent(), claim.send, make_call(call_id), spawn)


@pytest.fixture
def facts_of(desk):
    """What is known of a send; it has to be there."""

    async def look(send):
        found = await desk.store.explaining.facts_of(send.id)
        assert found is not None
        return found

    return look


async def test_a_send_that_nobody_knows_has_no_facts(desk):
    assert await desk.store.explaining.facts_of(SendId("unknown")) is None


async def test_the_head_of_a_session_is_ready_and_its_dispatches_are_counted(desk, facts_of):
    send = (await desk.accept(await desk.session())).send
    facts = await facts_of(send)
    assert facts.send == send
    assert (facts.ahead, facts.head_id, facts.is_head, facts.dispatches) == (0, send.id, True, 1)
    assert timedelta(0) <= facts.now - send.dispatched_at < desk.LONG
    assert (facts.owner, facts.calls, facts.questions, facts.children) == (None, (), (), ())
    await desk.claimed(send, ONE)
    desk.leases.release(ONE)
    await desk.store.recovery.reclaim(10)
    assert (await facts_of(send)).dispatches == 2


async def test_those_ahead_are_the_ones_that_have_not_ended(desk, facts_of):
    session = await desk.session()
    first, second, third = [(await desk.accept(session)).send for _ in range(3)]
    await desk.store.sends.cancel(second.id)
    facts = await facts_of(third)
    assert (facts.ahead, facts.head_id, facts.is_head) == (1, first.id, False)
    claim = await desk.claimed(first)
    await desk.store.journal.finish(claim.fence, desk.completed())
    facts = await facts_of(third)
    assert (facts.ahead, facts.head_id, facts.is_head) == (0, third.id, True)
    await desk.store.sends.cancel(third.id)
    assert (await facts_of(third)).head_id is None


async def test_the_owner_of_a_running_send_is_told_with_its_lease(desk, facts_of):
    claim = await desk.running(ONE)
    owner = (await facts_of(claim.send)).owner
    assert (owner.worker, owner.alive) == (ONE, True)
    assert owner.expires_at > (await facts_of(claim.send)).now
    desk.leases.renew(ONE, timedelta(seconds=-5))
    owner = (await facts_of(claim.send)).owner
    assert (owner.worker, owner.alive) == (ONE, False)
    assert owner.expires_at < (await facts_of(claim.send)).now
    desk.leases.release(ONE)
    owner = (await facts_of(claim.send)).owner
    assert (owner.worker, owner.alive, owner.expires_at) == (ONE, False, None)


async def test_workers_are_those_whose_lease_runs(desk, facts_of):
    send = (await desk.accept(await desk.session())).send
    workers = (await facts_of(send)).workers
    assert (workers.alive, workers.last_expired_at) == ((), None)
    desk.leases.renew(TWO, desk.LONG)
    desk.leases.renew(ONE, timedelta(seconds=-5))
    facts = await facts_of(send)
    assert facts.workers.alive == (TWO,)
    assert facts.workers.last_expired_at < facts.now
    assert facts.workers.has_process("box:2")
    assert not facts.workers.has_process("box:1")
    assert not facts.workers.has_process("box:22")


async def test_an_agent_is_announced_or_not(desk, facts_of):
    send = (await desk.accept(await desk.session())).send
    desk.leases.renew(ONE, desk.LONG)
    assert not (await facts_of(send)).agent_announced
    await desk.store.agents.announce([AnnouncedAgent.of(make_agent(name="support"))])
    assert (await facts_of(send)).agent_announced


async def test_the_mark_is_that_of_its_priority(desk, facts_of):
    session = await desk.session()
    send = (await desk.accept(session, priority=3)).send
    mark = send.dispatched_at + timedelta(seconds=1)
    desk.leases.raise_marks({Lane(SEND_QUEUE, 2): mark})
    assert (await facts_of(send)).marked_at is None
    desk.leases.raise_marks({Lane(SEND_QUEUE, 3): mark})
    assert (await facts_of(send)).marked_at == mark


async def test_the_calls_of_a_running_send_are_those_that_have_not_ended(desk, facts_of):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", effect=Effect.ONCE)
    await desk.store.journal.start_calls(claim.fence, ["b"])
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("a"),), message=None)
    )
    facts = await facts_of(claim.send)
    assert [(call.id, call.name, call.status) for call in facts.calls] == [("b", "look", CallStatus.RUNNING)]
    assert facts.questions == ()


async def test_a_waiting_send_is_told_with_what_is_still_open(desk, facts_of):
    claim, (first, second) = await desk.in_doubt("a", "b")
    facts = await facts_of(claim.send)
    assert facts.send.status is SendStatus.WAITING
    assert [question.id for question in facts.questions] == [first, second]
    assert [call.id for call in facts.calls] == ["a", "b"]
    assert (facts.owner, facts.children) == (None, ())
    await desk.store.interactions.answer(first, {"action": "give_up"})
    facts = await facts_of(claim.send)
    assert [question.id for question in facts.questions] == [second]
    assert [call.id for call in facts.calls] == ["b"]
    await desk.store.interactions.answer(second, {"action": "give_up"})
    facts = await facts_of(claim.send)
    assert (facts.send.status, facts.questions, facts.calls) == (SendStatus.QUEUED, (), ())


async def test_the_sub_agents_of_a_waiting_send_are_those_that_it_waits_for(desk, facts_of):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", "c")
    children = (child(claim, "a"), child(claim, "b"), child(claim, "c", awaited=False))
    suspended = await desk.store.journal.suspend(
        claim.fence, Suspension(children=children, max_descendants=10)
    )
    first, second, _ = suspended.started
    assert {one.id for one in (await facts_of(claim.send)).children} == {first.id, second.id}
    ended = await desk.claimed(first)
    await desk.store.journal.finish(ended.fence, desk.completed(), ended.send.lineage)
    assert [one.id for one in (await facts_of(claim.send)).children] == [second.id]
    assert [call.id for call in (await facts_of(claim.send)).calls] == ["b"]


async def test_a_send_that_was_given_no_wait_has_none(desk, facts_of):
    claim = await desk.running()
    await desk.asked(claim, "a")
    suspended = await desk.store.journal.suspend(claim.fence, Suspension())
    assert not suspended.waiting
    assert (await facts_of(claim.send)).questions == ()


async def test_a_name_that_no_database_holds_finds_what_was_stored_cleaned(desk):
    send = (await desk.accept(await desk.session(), "se\x00nd")).send
    found = await desk.store.explaining.facts_of(SendId("se\x00nd"))
    assert found is not None
    assert found.send == send


async def test_a_send_that_waits_for_tools_and_a_time_is_told_with_them(desk, facts_of):
    claim = await desk.running()
    await desk.asked(claim, "a", "b")
    task = NewToolTask(
        id=TaskId("task-a"),
        call_id=CallId("a"),
        tool="look",
        queue=QueueName("browser"),
        arguments={},
        edited=False,
    )
    nap = NewSleep(call_id=CallId("b"), lasts=desk.LONG, until=None, result="awake")
    await desk.store.journal.suspend(claim.fence, Suspension(tasks=(task,), sleeps=(nap,)))
    facts = await facts_of(claim.send)
    assert [(one.id, one.queue) for one in facts.tasks] == [("task-a", "browser")]
    assert [call.id for call in facts.calls if call.wakes_at and call.wakes_at > facts.now] == ["b"]


async def test_a_pause_is_told_with_its_time(desk, facts_of):
    session = await desk.session()
    send = (await desk.accept(session)).send
    assert (await facts_of(send)).paused_at is None
    paused = await desk.store.sessions.pause(session.id)
    assert (await facts_of(send)).paused_at == paused.paused_at


FAN_OUT = {
    "type": "parallel",
    "branches": [
        {"type": "agent", "id": "quick", "agent": "support"},
        {"type": "agent", "id": "slow", "agent": "support"},
        {"type": "agent", "id": "asks", "agent": "support"},
        {"type": "wait", "signal": "go"},
        {"type": "wait", "seconds": 3600},
    ],
}


async def test_a_send_that_waits_for_a_run_is_told_what_keeps_its_nodes(desk, facts_of):
    runs = Runs(desk)
    run_id = await runs.start_root(FAN_OUT)
    await runs.said(run_id, "root.branches[0]", "well")
    slow, asks = [runs.open[SendId((await runs.at(run_id, f"root.branches[{n}]")).id)] for n in (1, 2)]
    claim = await desk.claimed(asks)
    await desk.asked(claim, "a")
    question = desk.question("a")
    await desk.store.journal.suspend(claim.fence, Suspension(interactions=(question,)))
    facts = await facts_of(await desk.store.sends.find(SendId(run_id)))
    (found,) = facts.runs
    assert (found.run.id, found.run.status, found.run.paused_at) == (run_id, RunStatus.OPEN, None)
    assert found.nodes == {NodeStatus.OPEN: 1, NodeStatus.RUNNING: 4, NodeStatus.DONE: 1}
    assert found.leaves == {SendStatus.QUEUED: 1, SendStatus.WAITING: 1}
    assert (found.questions, found.oldest_question, found.signals) == (1, question.id, ("go",))
    assert timedelta(minutes=50) < found.wakes_at - facts.now < timedelta(minutes=70)
    assert facts.children == ()
    assert (await facts_of(slow)).send.lineage.leaf.run_id == run_id
    await desk.store.workflows.pause(run_id)
    assert (await facts_of(facts.send)).runs[0].run.paused_at is not None
    assert (await facts_of(slow)).paused_at is not None


async def test_a_run_that_has_ended_keeps_no_send(desk, facts_of):
    runs = Runs(desk)
    run_id = await runs.start_root({"type": "agent", "id": "only", "agent": "support"})
    await runs.said(run_id, "root", "well")
    assert (await facts_of(await desk.store.sends.find(SendId(run_id)))).runs == ()
