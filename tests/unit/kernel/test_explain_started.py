"""Why a send that has started, or ended, is not running: each cause, told with the facts that matter."""

from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.explain import Cause, Lease, Workers, explain
from powerloop.kernel.ids import SendId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendError, SendStatus, StopReason
from powerloop.testing.factories import make_call
from tests.unit.kernel.sightings import (
    CANCEL,
    LOCK,
    NOW,
    OWNER,
    a_child,
    a_question,
    a_send,
    before,
    facts,
    running,
    said,
    waiting,
)

# Running


def test_a_send_that_runs_is_told_with_its_owner_and_what_it_is_at():
    calls = (make_call("call-7", name="pay", status=CallStatus.RUNNING),)
    found = explain(running(calls=calls, about={"lock": replace(LOCK, process="box:41")}, send={"rounds": 2}))
    said(
        found,
        Cause.RUNNING,
        "under box:41:aaaa, whose lease is alive, for 3.0 s more",
        "2 rounds",
        "90 s ago",
    )
    said(found, Cause.RUNNING, "pay (call-7, running)", "powerloop:lock:session-1", "box:41, is alive")


def test_a_send_of_a_dead_owner_is_told_that_a_beat_is_to_come():
    dead = Lease(worker=OWNER, alive=False, expires_at=before(0.5))
    found = explain(running(dead, send={"strikes": 1}))
    said(found, Cause.OWNER_DEAD, "belongs to box:41:aaaa, whose lease ran out 0.5 s ago", "A beat makes it")
    said(found, Cause.OWNER_DEAD, "Its last claim came to no commit")
    assert found.hint == ""


def test_a_send_that_stays_with_a_dead_owner_points_to_a_missing_beat_and_a_missing_worker():
    dead = Lease(worker=OWNER, alive=False, expires_at=before(90))
    found = explain(running(dead, workers=Workers(alive=(), last_expired_at=before(90))))
    said(found, Cause.OWNER_DEAD, "it seems that no beat runs", "No worker is alive")
    assert "powerloop beat" in found.hint
    assert "powerloop worker" in found.hint


def test_an_owner_whose_lease_is_gone_is_dead():
    found = explain(running(Lease(worker=OWNER, alive=False, expires_at=None)))
    said(found, Cause.OWNER_DEAD, "which has no lease any more")


def test_a_running_send_whose_end_was_asked_for_is_told_so():
    found = explain(running(send={"cancel": CANCEL}))
    said(found, Cause.CANCEL_REQUESTED, 'by ada: "no longer needed"', "cuts its model call or tool off")
    assert found.hint == ""


def test_a_cancel_that_does_not_take_effect_points_to_the_tool():
    found = explain(running(send={"cancel": replace(CANCEL, at=before(60))}))
    assert "does not let itself be cancelled" in found.hint


# Waiting


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, 'the call ask_user asks, "Which colour?"; it may take any time.'),
        ({"expires_at": NOW + timedelta(hours=4)}, "; in 4 h its call fails."),
        ({"expires_at": NOW + timedelta(hours=4), "default": "red"}, "; in 4 h its default answer counts."),
        ({"expires_at": before(1)}, "; now, for the time is over, its call fails."),
        ({"kind": InteractionKind.APPROVAL, "tool": "pay"}, "the call pay needs approval"),
        ({"kind": InteractionKind.IN_DOUBT, "tool": "pay"}, "the call pay may or may not have taken effect"),
    ],
    ids=["input", "deadline", "default", "overdue", "approval", "in doubt"],
)
def test_a_send_that_waits_for_a_person_is_told_what_is_asked(fields, text):
    found = explain(waiting(questions=(a_question(**fields),)))
    said(found, Cause.WAITS_FOR_PERSON, "Question q-1, open since 3 h", text)
    assert found.hint == "Answer: powerloop inbox answer q-1"


def test_a_long_prompt_is_cut():
    found = explain(waiting(questions=(a_question(prompt="why " * 200),)))
    assert len(found.text) < 500


def test_a_send_that_waits_for_sub_agents_is_told_which():
    found = explain(waiting(children=(a_child(), replace(a_child(), id=SendId("child-2")))))
    said(found, Cause.WAITS_FOR_CHILDREN, "2 sub-agents have not ended", "researcher (child-1, running)")
    assert "powerloop sends explain child-1" in found.hint


def test_people_and_sub_agents_are_told_together():
    found = explain(waiting(questions=(a_question(),), children=(a_child(),)))
    said(found, Cause.WAITS_FOR_PERSON, "Question q-1", "1 sub-agent has not ended: researcher (child-1")


def test_a_call_that_waits_for_nothing_that_is_known_is_named():
    found = explain(waiting(calls=(make_call("call-7", name="browse", status=CallStatus.WAITING),)))
    said(found, Cause.WAITS_FOR_CALL, "browse (call-7, waiting)")


def test_a_send_whose_wait_is_over_is_to_be_woken():
    found = explain(waiting())
    said(found, Cause.WAIT_IS_OVER, "what it waited for is there")
    assert "powerloop beat" in found.hint


def test_a_waiting_send_whose_end_was_asked_for_is_told_so():
    found = explain(waiting(send={"cancel": CANCEL}, questions=(a_question(),)))
    said(found, Cause.CANCEL_REQUESTED, "by ada", "a beat makes it queued, for a worker to end it")


# Ended


@pytest.mark.parametrize(
    ("status", "fields", "code", "texts"),
    [
        (
            SendStatus.COMPLETED,
            {"stop_reason": StopReason.ROUND_LIMIT, "rounds": 3},
            Cause.COMPLETED,
            ("completed (round_limit)", "2 min ago, after 3 rounds"),
        ),
        (
            SendStatus.FAILED,
            {"error": SendError(code="model.rate_limited", message="Slow down."), "attempt": 2},
            Cause.FAILED,
            ("in attempt 2, with model.rate_limited", "Slow down."),
        ),
        (
            SendStatus.FAILED,
            {"error": SendError(code="send.poison", message="5 claims in a row ended without a commit")},
            Cause.POISON,
            ("send.poison", "5 claims in a row"),
        ),
        (
            SendStatus.CANCELLED,
            {"cancel": CANCEL},
            Cause.CANCELLED,
            ('by ada: "no longer needed"', "2 min ago"),
        ),
        (SendStatus.EXPIRED, {}, Cause.EXPIRED, ("was not started in time",)),
        (SendStatus.MERGED, {"policy": Policy.STEER}, Cause.MERGED, ("its input was taken into", "steer")),
    ],
    ids=lambda value: str(value) if isinstance(value, Cause) else "",
)
def test_a_send_that_has_ended_is_told_how(status, fields, code, texts):
    said(explain(facts(a_send(status, ended_at=before(120), **fields))), code, *texts)


def test_a_failure_for_an_unknown_agent_says_what_to_do():
    error = SendError(code="agent.unknown", message="no agent 'x'")
    assert "POWERLOOP_APP" in explain(facts(a_send(SendStatus.FAILED, ended_at=NOW, error=error))).hint
