"""Sub-agents: how their sends start."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.messages import text_of
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import ResultsCommit
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.sessions import SessionStatus
from powerloop.kernel.subagents import RECEIPT, TREE_FULL_NOTE
from tests.conformance.store.family import calls_of, child, ended, of_children, parent_of
from tests.conformance.store.statements import sql


@pytest.fixture
def again(desk, store_kind, store_url):
    """Has a waiting send run again, behind the back of the store: nobody has heard of its suspension."""

    def run_again(claim, call_status="waiting"):
        if store_kind == "memory":
            state = desk.store.state
            send, calls = state.sends[claim.send.id], state.calls[claim.send.id]
            state.sends[send.id] = replace(send, status=SendStatus.RUNNING, owner=claim.send.owner)
            state.calls[send.id] = {
                name: replace(call, status=CallStatus(call_status), result=None, ended_at=None)
                for name, call in calls.items()
            }
            return
        with sql(store_url) as (execute, schema):
            execute(
                f"UPDATE {schema}sends SET status = 'running', owner = '{claim.send.owner}' "
                f"WHERE id = '{claim.send.id}'"
            )
            execute(
                f"UPDATE {schema}tool_calls SET status = '{call_status}', result = NULL, ended_at = NULL "
                f"WHERE send_id = '{claim.send.id}'"
            )

    return run_again


async def test_a_sub_agent_is_a_session_and_a_send_of_its_own(desk):
    claim, (started,) = await parent_of(desk, "a")

    send = await desk.store.sends.find(started.id)
    assert send == started
    assert (send.id, send.session_id) == (f"{claim.send.id}.a", f"s.{claim.send.id}.a")
    assert (send.status, send.position, send.policy) == (SendStatus.QUEUED, 1, Policy.ENQUEUE)
    assert (send.agent, send.priority, send.metadata) == ("helper", 3, {"job": 7})
    assert (text_of(send.content), send.spec) == ("do a", {"model": "small"})
    assert send.dispatched_at is not None
    assert send.lineage == child(claim, "a").lineage
    assert (send.root_id, send.depth) == (claim.send.id, 1)
    session = await desk.store.sessions.find(send.session_id)
    assert (session.status, session.policy, session.pending) == (SessionStatus.OPEN, Policy.ENQUEUE, 1)
    assert session.origin == child(claim, "a").session.origin
    assert session.metadata == {"customer": "42"}
    assert (await desk.claimed(send, "worker-2")).send.lineage == send.lineage


async def test_the_parent_waits_with_the_calls_of_its_sub_agents(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b", "c")
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("c"),), message=None)
    )
    suspension = of_children(child(claim, "a"), child(claim, "b"))
    suspended = await desk.store.journal.suspend(claim.fence, suspension)

    assert (suspended.waiting, suspended.cancel_requested) == (True, False)
    assert [send.id for send in suspended.started] == [f"{claim.send.id}.{name}" for name in "ab"]
    assert (await desk.send_of(claim)).status is SendStatus.WAITING
    waiting = (CallStatus.WAITING, None)
    assert await calls_of(desk, claim) == [waiting, waiting, (CallStatus.DONE, "seen")]


async def test_a_call_that_has_ended_meanwhile_starts_nothing(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    await desk.store.journal.commit_results(
        claim.fence, ResultsCommit(outcomes=(desk.done("a"),), message=None)
    )
    suspended = await desk.store.journal.suspend(claim.fence, of_children(child(claim, "a")))
    assert (suspended.waiting, suspended.started) == (False, ())
    assert await desk.store.sessions.find(child(claim, "a").session.id) is None


async def test_a_send_whose_end_was_asked_for_starts_nothing(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    await desk.store.sends.cancel(claim.send.id)
    suspended = await desk.store.journal.suspend(claim.fence, of_children(child(claim, "a")))
    assert (suspended.cancel_requested, suspended.started) == (True, ())
    assert await desk.store.sessions.find(child(claim, "a").session.id) is None


async def test_a_sub_agent_that_is_not_awaited_gives_a_receipt(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b")
    both = of_children(child(claim, "a", awaited=False), child(claim, "b"))
    suspended = await desk.store.journal.suspend(claim.fence, both)
    assert (suspended.waiting, len(suspended.started)) == (True, 2)
    receipt = RECEIPT.format(session_id=f"s.{claim.send.id}.a")
    assert await calls_of(desk, claim) == [(CallStatus.DONE, receipt), (CallStatus.WAITING, None)]


async def test_a_send_that_only_starts_sub_agents_runs_on(desk):
    claim = await desk.running()
    await desk.asked(claim, "a")
    alone = of_children(child(claim, "a", awaited=False))
    suspended = await desk.store.journal.suspend(claim.fence, alone)
    assert (suspended.waiting, len(suspended.started)) == (False, 1)
    assert (await desk.send_of(claim)).status is SendStatus.RUNNING


async def test_what_is_more_than_the_tree_may_have_is_not_started(desk):
    claim, started = await parent_of(desk, "a", "b", "c", most=2)
    assert [send.id[-1] for send in started] == ["a", "b"]
    note = TREE_FULL_NOTE.format(limit=2)
    assert await calls_of(desk, claim) == [(CallStatus.WAITING, None)] * 2 + [(CallStatus.FAILED, note)]
    assert await desk.store.sessions.find(child(claim, "c").session.id) is None


async def test_those_of_all_levels_count_and_those_that_have_ended_too(desk):
    claim, (first, second) = await parent_of(desk, "a", "b", most=4)
    await ended(desk, first)
    below, started = await parent_of(
        desk, "c", "d", "e", most=4, claim=await desk.claimed(second, "worker-2")
    )
    assert len(started) == 2
    assert {send.root_id for send in started} == {claim.send.id}
    assert {send.depth for send in started} == {2}
    assert [status for status, _ in await calls_of(desk, below)] == [
        CallStatus.WAITING,
        CallStatus.WAITING,
        CallStatus.FAILED,
    ]


async def test_a_send_that_may_start_none_runs_on(desk):
    claim, started = await parent_of(desk, "a", most=0)
    assert started == ()
    assert (await desk.send_of(claim)).status is SendStatus.RUNNING


async def test_racing_parents_of_one_tree_do_not_exceed_its_limit(desk):
    _, parents = await parent_of(desk, "a", "b", "c", "d")
    claims = [await desk.claimed(send, f"worker-{number}") for number, send in enumerate(parents)]
    for claim in claims:
        await desk.asked(claim, "x", "y", "z")

    async def suspend(claim):
        three = [child(claim, name) for name in "xyz"]
        return await desk.store.journal.suspend(claim.fence, of_children(*three, most=11))

    started = [send for one in await asyncio.gather(*map(suspend, claims)) for send in one.started]
    assert len(started) == 11 - 4
    outcomes = [call for claim in claims for call in await calls_of(desk, claim)]
    assert Counter(status for status, _ in outcomes) == {CallStatus.WAITING: 7, CallStatus.FAILED: 5}


async def test_a_sub_agent_is_started_once_however_often_it_is_asked_for(desk, again):
    claim, (started,) = await parent_of(desk, "a")
    again(claim)
    suspended = await desk.store.journal.suspend(claim.fence, of_children(child(claim, "a")))
    assert (suspended.waiting, suspended.started) == (True, (started,))
    assert (await desk.store.sessions.find(started.session_id)).accepted == 1
    assert (await ended(desk, started)).parent.id == claim.send.id


async def test_one_that_was_started_before_has_room_in_a_tree_that_is_full(desk, again):
    claim, (started,) = await parent_of(desk, "a", most=1)
    again(claim)
    suspended = await desk.store.journal.suspend(claim.fence, of_children(child(claim, "a"), most=1))
    assert (suspended.waiting, suspended.started) == (True, (started,))


async def test_one_that_has_ended_before_it_is_asked_for_again_is_not_waited_for(desk, again):
    claim, (started,) = await parent_of(desk, "a")
    again(claim)
    await desk.store.sends.cancel(started.id, reason="too slow")
    again(claim, "pending")
    suspended = await desk.store.journal.suspend(claim.fence, of_children(child(claim, "a")))
    assert (suspended.waiting, suspended.started) == (False, ())
    assert await calls_of(desk, claim) == [(CallStatus.FAILED, "The sub-agent was cancelled: too slow.")]
