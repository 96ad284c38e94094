"""Sub-agents: what the ends of their sends do to the sends of their parents."""

import asyncio
from dataclasses import replace

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.ids import SendId
from powerloop.kernel.messages import text_of
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import CancelEffect, SendError, SendStatus
from powerloop.kernel.sessions import Lifecycle, SessionStatus
from tests.conformance.store.family import calls_of, child, ended, of_children, parent_of


async def test_the_last_sub_agent_wakes_its_parent_with_the_results_of_all(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    assert (await ended(desk, second, "seen b")).parent is None
    assert (await desk.send_of(claim)).status is SendStatus.WAITING

    finished = await ended(desk, first, "seen a")
    parent = await desk.send_of(claim)
    assert finished.parent == parent
    assert finished.ready == (parent,)
    assert (parent.status, parent.owner) == (SendStatus.QUEUED, None)
    assert parent.dispatched_at > claim.send.dispatched_at
    assert await calls_of(desk, claim) == [(CallStatus.DONE, "seen a"), (CallStatus.DONE, "seen b")]
    heir = await desk.claimed(parent, "worker-3")
    assert heir.send.attempt == 2


async def test_sub_agents_that_end_at_once_wake_their_parent_once(desk):
    for _ in range(5):
        claim, started = await parent_of(desk, *"abcdefgh")
        claims = [await desk.claimed(send, f"worker-{number}") for number, send in enumerate(started)]
        finished = await asyncio.gather(
            *(
                desk.store.journal.finish(one.fence, desk.completed(one.send.id), one.send.lineage)
                for one in claims
            )
        )
        assert [one.parent.id for one in finished if one.parent] == [claim.send.id]
        assert await calls_of(desk, claim) == [(CallStatus.DONE, send.id) for send in started]
        assert (await desk.send_of(claim)).status is SendStatus.QUEUED


async def test_a_parent_that_waits_for_a_person_too_is_not_woken_by_a_sub_agent(desk):
    claim = await desk.running()
    await desk.asked(claim, "a", "b")
    asked = desk.question("b")
    suspension = replace(of_children(child(claim, "a")), interactions=(asked,))
    suspended = await desk.store.journal.suspend(claim.fence, suspension)
    assert (await ended(desk, suspended.started[0])).parent is None
    assert (await desk.send_of(claim)).status is SendStatus.WAITING
    assert (await desk.store.interactions.answer(asked.id, "yes")).ready.id == claim.send.id


async def test_the_failure_of_a_sub_agent_is_the_failure_of_its_call(desk):
    claim, (started,) = await parent_of(desk, "a")
    failing = await desk.claimed(started, "worker-2")
    ending = Ending.failed(SendError(code="model.rejected", message="no such model"), rounds=0)
    finished = await desk.store.journal.finish(failing.fence, ending, started.lineage)
    assert finished.parent.id == claim.send.id
    told = "The sub-agent failed (model.rejected): no such model"
    assert await calls_of(desk, claim) == [(CallStatus.FAILED, told)]


async def test_a_sub_agent_that_was_cancelled_while_it_ran_tells_its_parent(desk):
    claim, (started,) = await parent_of(desk, "a")
    running = await desk.claimed(started, "worker-2")
    await desk.store.sends.cancel(started.id, reason="too slow")
    finished = await desk.store.journal.finish(running.fence, Ending.cancelled(rounds=0), started.lineage)
    assert finished.parent.id == claim.send.id
    told = "The sub-agent was cancelled: too slow."
    assert await calls_of(desk, claim) == [(CallStatus.FAILED, told)]


async def test_a_sub_agent_that_is_cancelled_before_it_started_tells_its_parent(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    cancellation = await desk.store.sends.cancel(first.id, reason="not needed")
    assert (cancellation.effect, cancellation.parent) == (CancelEffect.CANCELLED, None)
    cancellation = await desk.store.sends.cancel(second.id)

    assert (cancellation.effect, cancellation.ready) == (CancelEffect.CANCELLED, None)
    assert cancellation.parent == await desk.send_of(claim)
    assert cancellation.parent.status is SendStatus.QUEUED
    assert await calls_of(desk, claim) == [
        (CallStatus.FAILED, "The sub-agent was cancelled: not needed."),
        (CallStatus.FAILED, "The sub-agent was cancelled."),
    ]


async def test_a_sub_agent_of_a_sub_agent_wakes_its_parent_only(desk):
    top, (middle,) = await parent_of(desk, "a")
    below, (leaf,) = await parent_of(desk, "b", claim=await desk.claimed(middle, "worker-2"))
    assert (await ended(desk, leaf, worker="worker-3")).parent.id == middle.id
    assert (await desk.send_of(top)).status is SendStatus.WAITING
    middle = await desk.send_of(below)
    assert (await ended(desk, middle)).parent.id == top.send.id


async def test_a_parent_that_is_to_end_ignores_what_comes_late(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    await desk.store.sends.cancel(claim.send.id)
    before = await desk.everything(claim)
    assert (await ended(desk, first)).parent is None
    assert (await desk.everything(claim))[:-1] == before[:-1]

    heir = await desk.claimed(await desk.send_of(claim), "worker-3")
    outcomes = tuple(
        replace(desk.done(name), status=CallStatus.CANCELLED, text="not run") for name in ("a", "b")
    )
    await desk.store.journal.finish(
        heir.fence, Ending.cancelled(rounds=1, outcomes=outcomes, messages=(desk.results(*outcomes),))
    )
    before = await desk.everything(claim)
    assert (await ended(desk, second)).parent is None
    assert (await desk.everything(claim))[:-1] == before[:-1]


async def test_a_sub_agent_outlives_a_parent_that_was_removed(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False, lifecycle=Lifecycle.DETACHED)
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.delete(claim.send.session_id)
    assert (await ended(desk, started)).parent is None
    assert (await desk.store.sends.find(started.id)).status is SendStatus.COMPLETED


# Those that are not awaited


async def test_a_result_that_nobody_awaits_wakes_a_parent_that_is_idle(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    await desk.store.journal.finish(claim.fence, desk.completed())
    finished = await ended(desk, started, "it rains")

    told = finished.parent
    assert (told.session_id, told.status) == (claim.send.session_id, SendStatus.QUEUED)
    assert (told.position, told.policy, told.priority) == (2, Policy.STEER, 3)
    assert told.lineage is None
    assert "it rains" in text_of(told.content)
    assert f"session {started.session_id}" in text_of(told.content)
    assert (await desk.claimed(told, "worker-3")).send.id == told.id


async def test_a_result_that_nobody_awaits_steers_a_parent_that_is_busy(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    assert (await ended(desk, started, "it rains")).parent is None
    assert (await desk.session_of(claim)).steering == 1
    merged = await desk.store.journal.merge(claim.fence)
    assert ["it rains" in text_of(message.content) for message in merged.messages] == [True]


async def test_the_failure_of_one_that_nobody_awaits_is_told_too(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    await desk.store.journal.finish(claim.fence, desk.completed())
    cancellation = await desk.store.sends.cancel(started.id, reason="too slow")
    assert "The sub-agent was cancelled: too slow." in text_of(cancellation.parent.content)


async def test_a_closed_session_is_told_nothing(desk):
    claim, (started,) = await parent_of(desk, "a", awaited=False)
    await desk.store.journal.finish(claim.fence, desk.completed())
    await desk.store.sessions.close(claim.send.session_id)
    assert (await ended(desk, started)).parent is None
    assert (await desk.session_of(claim)).accepted == 1


async def test_a_parent_that_was_cancelled_is_not_woken_by_what_was_cancelled_with_it(desk):
    claim, (first, second) = await parent_of(desk, "a", "b", awaited=False)
    await desk.store.sends.cancel(claim.send.id)
    await desk.store.sends.cancel(first.id)
    await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=1))
    assert (await desk.store.sends.cancel(second.id)).parent is None
    assert (await desk.session_of(claim)).accepted == 1


# What binds them


@pytest.mark.parametrize("lifecycle", list(Lifecycle))
async def test_an_ephemeral_session_closes_with_its_send(desk, lifecycle):
    _, (first, second) = await parent_of(desk, "a", "b", lifecycle=lifecycle)
    await ended(desk, first)
    await desk.store.sends.cancel(second.id)
    statuses = {(await desk.store.sessions.find(send.session_id)).status for send in (first, second)}
    closes = lifecycle is Lifecycle.EPHEMERAL
    assert statuses == {SessionStatus.CLOSED if closes else SessionStatus.OPEN}


async def test_all_below_a_send_that_have_not_ended_are_bound_to_it(desk):
    claim, (first, second, third) = await parent_of(desk, "a", "b", "c")
    _, (leaf,) = await parent_of(desk, "d", claim=await desk.claimed(first, "worker-2"))
    _, (spare,) = await parent_of(
        desk, "e", claim=await desk.claimed(second, "worker-3"), lifecycle=Lifecycle.EPHEMERAL
    )
    await ended(desk, third)
    bound = await desk.store.sends.bound_to(claim.send.id)
    assert [send.id for send in bound] == [first.id, second.id, leaf.id, spare.id]
    assert [send.status for send in bound[:2]] == [SendStatus.WAITING] * 2
    assert [send.id for send in await desk.store.sends.bound_to(first.id)] == [leaf.id]
    assert list(await desk.store.sends.bound_to(leaf.id)) == []
    assert list(await desk.store.sends.bound_to(SendId("nobody"))) == []


async def test_what_is_below_a_sub_agent_that_has_ended_is_bound(desk):
    claim, (middle,) = await parent_of(desk, "a")
    running, (leaf,) = await parent_of(desk, "b", claim=await desk.claimed(middle, "worker-2"), awaited=False)
    await desk.store.journal.finish(running.fence, desk.completed(), middle.lineage)
    assert [send.id for send in await desk.store.sends.bound_to(claim.send.id)] == [leaf.id]


async def test_a_detached_sub_agent_is_not_bound_and_neither_is_what_is_below_it(desk):
    claim, (detached,) = await parent_of(desk, "a", lifecycle=Lifecycle.DETACHED)
    _, (leaf,) = await parent_of(desk, "b", claim=await desk.claimed(detached, "worker-2"))
    assert list(await desk.store.sends.bound_to(claim.send.id)) == []
    assert [send.id for send in await desk.store.sends.bound_to(detached.id)] == [leaf.id]


async def test_the_sends_of_a_tree_are_listed_by_its_root(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    _, (leaf,) = await parent_of(desk, "c", claim=await desk.claimed(first, "worker-2"))
    await parent_of(desk, "a", claim=await desk.running("worker-3"))
    listed = await desk.store.sends.list(root_id=claim.send.id)
    assert {send.id for send in listed} == {first.id, second.id, leaf.id}
    assert list(await desk.store.sends.list(root_id=leaf.id)) == []


async def test_the_sessions_of_sub_agents_are_listed_by_that_of_their_parent(desk):
    claim, (first, second) = await parent_of(desk, "a", "b")
    _, (leaf,) = await parent_of(desk, "c", claim=await desk.claimed(first, "worker-2"))
    listed = await desk.store.sessions.list(parent_id=claim.send.session_id)
    assert {session.id for session in listed} == {first.session_id, second.session_id}
    (below,) = await desk.store.sessions.list(parent_id=first.session_id)
    assert below.id == leaf.session_id
