"""Why a send that waits for a run of a workflow is not running, and what is said of the leaves of one."""

from datetime import timedelta

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.explain import Cause, Workers, explain
from powerloop.kernel.ids import InteractionId
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.workflows import NodeStatus
from powerloop.testing.factories import make_call
from tests.unit.kernel.sightings import (
    CANCEL,
    NOW,
    a_run,
    a_send,
    before,
    facts,
    of_a_leaf,
    queued,
    said,
    waiting,
)

CALL = make_call("call-1", name="run_workflow", status=CallStatus.WAITING)
NODES = {
    NodeStatus.OPEN: 1,
    NodeStatus.RUNNING: 3,
    NodeStatus.DELAYED: 1,
    NodeStatus.DONE: 2,
    NodeStatus.FAILED: 1,
}


def test_a_run_is_told_with_its_nodes_and_what_its_leaves_wait_for():
    leaves = {SendStatus.QUEUED: 2, SendStatus.RUNNING: 1, SendStatus.WAITING: 4}
    found = explain(waiting(calls=(CALL,), runs=(a_run(nodes=NODES, leaves=leaves),)))
    said(
        found,
        Cause.WAITS_FOR_RUN,
        "Send send-1 waits for a workflow",
        "Of the nodes of run run-1 of review, 3 are running, 1 is delayed; 2 are done, 1 is failed.",
        "2 to be taken by a worker, 1 under a worker, 4 waiting for something outside",
    )
    assert "paused" not in found.text
    assert found.hint == "See its nodes: powerloop workflow show run-1"


def test_what_its_nodes_wait_for_is_told():
    later = NOW + timedelta(minutes=5)
    run = a_run(nodes={NodeStatus.RUNNING: 3}, signals=("go", "stop"), wakes_at=later)
    found = explain(waiting(calls=(CALL,), runs=(run,)))
    said(found, Cause.WAITS_FOR_RUN, "the signal go and for stop", "comes in 5 min", "none has ended")


def test_a_person_whom_a_leaf_asks_is_told_of():
    run = a_run(nodes={NodeStatus.RUNNING: 2}, questions=2, oldest_question=InteractionId("q-1"))
    found = explain(waiting(calls=(CALL,), runs=(run,)))
    said(found, Cause.WAITS_FOR_RUN, "2 questions to people not answered: the oldest is q-1")
    assert found.hint == "Answer: powerloop inbox answer q-1"


def test_a_run_that_is_paused_is_told_how_it_goes_on():
    run = a_run(nodes=NODES, about={"paused_at": before(30)}, questions=1)
    found = explain(waiting(calls=(CALL,), runs=(run,)))
    said(found, Cause.WAITS_FOR_RUN, "The run was paused 30 s ago: no further node begins.")
    assert found.hint == "Let it go on: powerloop workflow resume run-1"


def test_a_run_that_does_not_begin_points_to_a_beat():
    found = explain(waiting(calls=(CALL,), runs=(a_run(),), workers=Workers(alive=(), last_expired_at=None)))
    said(found, Cause.WAITS_FOR_RUN, "Run run-1 of review has not begun.", "No worker is alive")
    assert "powerloop beat" in found.hint
    young = a_run(about={"created_at": before(1)})
    assert "powerloop beat" not in explain(waiting(calls=(CALL,), runs=(young,))).hint


def test_a_time_that_nobody_took_note_of_points_to_a_beat():
    run = a_run(nodes={NodeStatus.DELAYED: 1}, wakes_at=before(60))
    found = explain(waiting(calls=(CALL,), runs=(run,)))
    said(found, Cause.WAITS_FOR_RUN, "came 60 s ago: a beat has it go on")
    assert "powerloop beat" in found.hint


def test_a_run_that_is_to_end_is_told_so():
    found = explain(waiting(calls=(CALL,), runs=(a_run(nodes=NODES),), send={"cancel": CANCEL}))
    assert found.code is Cause.CANCEL_REQUESTED


def test_a_leaf_is_told_with_its_run_and_its_node():
    place = "It is the leaf root.steps[1] of run run-1, which send send-1 drives."
    said(explain(queued(send=of_a_leaf())), Cause.STARTING, place)
    said(explain(facts(a_send(SendStatus.EXPIRED, **of_a_leaf(ended_at=before(4))))), Cause.EXPIRED, place)
    assert "leaf" not in explain(queued()).text


def test_a_leaf_of_a_paused_run_goes_on_with_its_run():
    found = explain(queued(paused_at=before(30), send=of_a_leaf()))
    said(found, Cause.PAUSED, "It is the leaf root.steps[1] of run run-1")
    assert found.hint == "Let it go on: powerloop workflow resume run-1"
