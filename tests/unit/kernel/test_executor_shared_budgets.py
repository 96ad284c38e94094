"""Sends of sub-agents, which share the budgets of those above them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.driving import Outcome
from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.sends import Lineage, StopReason
from powerloop.kernel.subagents import child_of
from powerloop.kernel.waits import Spawn
from powerloop.testing.factories import make_agent, make_call, make_send

UNLIMITED = Budget()


def used(here, send_id):
    return here.store.state.accounts[send_id].used


async def test_a_child_is_refused_what_its_parent_has_used_up(limited, script):
    here = limited(output_tokens=10)
    here.model.answers = [script.asks(("c1", "ask")), script.says("hi")]
    root_id = await here.accept()
    assert await here.executor().drive(root_id) is Outcome.WAITING
    child_id = await here.accept(id="child", session="other")
    await adopt(here, child_id, root_id)
    assert await here.executor().drive(child_id) is Outcome.ENDED
    assert here.model.requests[1].settings.max_output_tokens == 5
    # Five of the root's, and five of the child's.
    assert used(here, root_id).output_tokens == 10
    assert used(here, child_id).output_tokens == 5
    late_id = await here.accept(id="late", session="third")
    await adopt(here, late_id, root_id)
    assert await here.executor().drive(late_id) is Outcome.ENDED
    assert (await here.send(late_id)).stop_reason is StopReason.BUDGET
    assert len(here.model.requests) == 2


async def adopt(here, child_id, root_id):
    """Have the send be that of a sub-agent that nobody waits for."""
    lineage = Lineage(
        session_id=SessionId("session-1"),
        send_id=root_id,
        call_id=CallId("c1"),
        root_id=root_id,
        depth=1,
        awaited=False,
        limits=TreeLimits(),
        budgets=(root_id,),
    )
    state = here.store.state
    state.sends[child_id] = replace(state.sends[child_id], lineage=lineage)


@pytest.mark.parametrize(
    ("parent", "own", "expected"),
    [
        (UNLIMITED, None, ("above",)),
        (Budget(cost=Decimal(1)), None, ("above", "send-1")),
        (UNLIMITED, Budget(wall_clock=timedelta(1)), ("above", "send-1")),
    ],
)
def test_a_child_is_charged_to_every_budget_above_it(parent, own, expected):
    agent = replace(make_agent(), budget=parent)
    above = Lineage(
        session_id=SessionId("s"),
        send_id=SendId("above"),
        call_id=CallId("c"),
        root_id=SendId("above"),
        depth=1,
        awaited=True,
        limits=TreeLimits(),
        budgets=(SendId("above"),),
    )
    send = replace(make_send(), budget=own, lineage=above)
    child = child_of(agent, send, make_call(), Spawn(agent="other", content=()))
    assert child.lineage.budgets == expected


async def test_a_send_whose_agent_is_gone_settles_with_those_above_it(limited, script, house):
    here = limited(output_tokens=10)
    here.model.answers = [script.asks(("c1", "ask"))]
    root_id = await here.accept()
    await here.executor().drive(root_id)
    child_id = await here.accept(id="child", session="other")
    await adopt(here, child_id, root_id)
    here.store.state.reservations[root_id][child_id] = used(here, root_id)
    here.agents = house().agents
    assert await here.executor().drive(child_id) is Outcome.ENDED
    assert here.store.state.reservations == {root_id: {}}
