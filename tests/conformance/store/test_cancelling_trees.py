"""`Canceller`, over every store: a cancel reaches the sub-agents that are bound to what is cancelled."""

from dataclasses import dataclass, field

import pytest

from powerloop.client.cancelling import Canceller
from powerloop.kernel.ids import SendId
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import CancelEffect, SendStatus
from powerloop.kernel.sessions import Lifecycle
from powerloop.kernel.subagents import PARENT_CANCELLED
from tests.conformance.store.family import calls_of, parent_of


@dataclass
class Heard:
    """A dispatcher and a channel of nudges that remember what they were given."""

    published: list[SendId] = field(default_factory=list)
    nudged: list[SendId] = field(default_factory=list)

    async def publish(self, activations):
        self.published += [activation.id for activation in activations]
        return True

    async def nudge(self, send):
        self.nudged.append(send.id)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def canceller(desk, heard):
    return Canceller(desk.store, heard, heard)


async def found(desk, *sends):
    return [await desk.store.sends.find(send.id) for send in sends]


async def test_cancelling_a_root_asks_for_the_end_of_all_below_it(desk, canceller, heard):
    root, (queued, middle) = await parent_of(desk, "a", "b")
    _, (running, waiting) = await parent_of(
        desk, "c", "d", claim=await desk.claimed(middle, "worker-2"), lifecycle=Lifecycle.EPHEMERAL
    )
    await desk.claimed(running, "worker-3")
    _, (leaf,) = await parent_of(desk, "e", claim=await desk.claimed(waiting, "worker-4"))
    cancellation = await canceller.cancel(root.send.id, reason="enough", actor="ada")

    assert (cancellation.send_id, cancellation.effect) == (root.send.id, CancelEffect.REQUESTED)
    now = await found(desk, queued, middle, running, waiting, leaf)
    assert [send.status for send in now] == [
        SendStatus.CANCELLED,
        SendStatus.QUEUED,
        SendStatus.RUNNING,
        SendStatus.QUEUED,
        SendStatus.CANCELLED,
    ]
    assert {(send.cancel.reason, send.cancel.actor) for send in now} == {(PARENT_CANCELLED, "ada")}
    assert sorted(heard.published) == sorted([root.send.id, middle.id, waiting.id])
    assert heard.published[0] == root.send.id
    assert sorted(heard.nudged) == sorted([queued.id, running.id, leaf.id])
    assert {status.value for status, _ in await calls_of(desk, root)} == {"waiting"}


async def test_what_is_not_bound_is_not_cancelled_with_it(desk, canceller):
    root, (detached,) = await parent_of(desk, "a", lifecycle=Lifecycle.DETACHED)
    await canceller.cancel(root.send.id, reason="", actor="")
    [now] = await found(desk, detached)
    assert (now.status, now.cancel) == (SendStatus.QUEUED, None)


async def test_a_send_that_has_ended_leaves_its_sub_agents_alone(desk, canceller):
    root, (started,) = await parent_of(desk, "a", awaited=False)
    await desk.store.journal.finish(root.fence, desk.completed())
    cancellation = await canceller.cancel(root.send.id, reason="", actor="")
    assert cancellation.effect is CancelEffect.ENDED
    [now] = await found(desk, started)
    assert now.cancel is None


async def test_cancelling_the_last_sub_agent_before_it_started_wakes_its_parent(desk, canceller, heard):
    root, (started,) = await parent_of(desk, "a")
    await canceller.cancel(started.id, reason="", actor="")
    assert heard.published == [root.send.id]
    assert (await desk.send_of(root)).status is SendStatus.QUEUED


async def test_what_is_started_while_the_cancel_goes_down_is_cancelled_too(desk, canceller, monkeypatch):
    root, (middle,) = await parent_of(desk, "a")
    claim = await desk.claimed(middle, "worker-2")
    late = []
    bound_to = desk.store.sends.bound_to

    async def and_start(send_id):
        bound = await bound_to(send_id)
        if not late:
            late.extend((await parent_of(desk, "b", claim=claim))[1])
        return bound

    monkeypatch.setattr(desk.store.sends, "bound_to", and_start)
    await canceller.cancel(root.send.id, reason="", actor="")
    [now] = await found(desk, *late)
    assert now.status is SendStatus.CANCELLED


@pytest.mark.parametrize("policy", [Policy.INTERRUPT, Policy.ROLLBACK])
async def test_what_is_bound_to_a_send_that_is_interrupted_ends_with_it(desk, canceller, heard, policy):
    root, (started,) = await parent_of(desk, "a")
    await desk.claimed(started, "worker-2")
    accepted = await desk.accept(await desk.session_of(root), policy=policy)
    await canceller.tell(accepted.interrupted, accepted.ready)
    [now] = await found(desk, started)
    assert (now.status, now.cancel.reason) == (SendStatus.RUNNING, PARENT_CANCELLED)
    assert heard.published == [root.send.id]
    assert heard.nudged == [started.id]


async def test_sub_agents_that_end_after_their_parent_leave_it_be(desk, canceller, heard):
    root, (started,) = await parent_of(desk, "a")
    claim = await desk.claimed(started, "worker-2")
    await canceller.cancel(root.send.id, reason="", actor="")
    finished = await desk.store.journal.finish(claim.fence, Ending.cancelled(rounds=0), started.lineage)
    assert finished.ready == ()
    assert heard.published == [root.send.id]
