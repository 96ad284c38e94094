"""Why a send that waits for other queues, for a time, or for its session to be resumed is not running."""

from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.explain import Cause, Workers, explain
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.kernel.tool_tasks import TaskStatus
from powerloop.testing.factories import make_call
from tests.unit.kernel.sightings import (
    CANCEL,
    NOW,
    OWNER,
    a_question,
    a_send,
    a_task,
    before,
    facts,
    queued,
    said,
    waiting,
)

CALL = make_call("c1", name="browse", status=CallStatus.WAITING)


def test_a_call_that_nobody_takes_is_told_with_its_queue():
    found = explain(waiting(calls=(CALL,), tasks=(a_task(TaskStatus.QUEUED),)))
    said(found, Cause.WAITS_FOR_TOOL, "browse (c1) is ready on the queue browser, dispatched 9.0 s ago")
    assert found.hint == ""


def test_a_call_that_nobody_takes_for_long_points_to_a_worker_that_serves_its_queue():
    task = a_task(TaskStatus.QUEUED, dispatched_at=before(60))
    found = explain(waiting(calls=(CALL,), tasks=(task,)))
    assert found.hint.endswith("powerloop worker --queues browser")


def test_a_call_that_runs_elsewhere_is_told_with_its_process():
    task = a_task(TaskStatus.RUNNING, owner=OWNER, attempt=2, started_at=before(5))
    found = explain(waiting(calls=(CALL,), tasks=(task,)))
    said(found, Cause.WAITS_FOR_TOOL, "runs under box:41:aaaa, which is alive, in attempt 2", "5.0 s ago")
    assert found.hint == ""


def test_a_call_whose_process_is_dead_points_to_a_beat():
    task = a_task(TaskStatus.RUNNING, owner=OWNER, started_at=before(5))
    found = explain(
        waiting(calls=(CALL,), tasks=(task,), workers=Workers(alive=(), last_expired_at=before(1)))
    )
    said(found, Cause.WAITS_FOR_TOOL, "which is not alive", "No worker is alive")
    assert "powerloop beat" in found.hint


def test_who_waits_for_a_person_is_told_of_tools_too():
    found = explain(waiting(calls=(CALL,), questions=(a_question(),), tasks=(a_task(TaskStatus.QUEUED),)))
    said(found, Cause.WAITS_FOR_PERSON, "on the queue browser")


def test_a_call_that_sleeps_is_told_with_its_time():
    nap = replace(CALL, name="sleep", wakes_at=NOW + timedelta(minutes=5))
    found = explain(waiting(calls=(nap,)))
    said(found, Cause.WAITS_FOR_TIME, "sleep (c1) waits until 2026-01-01T01:05:00+00:00, in 5 min")
    assert found.hint == ""


def test_a_call_that_should_be_awake_points_to_a_beat():
    found = explain(waiting(calls=(replace(CALL, wakes_at=before(60)),)))
    said(found, Cause.WAITS_FOR_TIME, "that has come")
    assert "powerloop beat" in found.hint


def test_a_send_of_a_paused_session_is_told_how_it_goes_on():
    found = explain(queued(paused_at=before(30)))
    said(found, Cause.PAUSED, "its session session-1 was paused 30 s ago")
    assert found.hint == "Let it go on: powerloop session resume session-1"


def test_a_send_that_is_to_end_is_not_kept_by_a_pause():
    assert explain(queued(paused_at=before(30), send={"cancel": CANCEL})).code is not Cause.PAUSED


def test_a_send_that_ended_on_its_budget_is_told_so():
    send = a_send(
        SendStatus.COMPLETED, stop_reason=StopReason.BUDGET, ended_at=before(4), rounds=2, attempt=1
    )
    said(explain(facts(send)), Cause.BUDGET, "after 2 rounds", "budget", "was used up")
