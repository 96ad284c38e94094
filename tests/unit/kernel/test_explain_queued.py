"""Why a send that is queued is not running: each cause, told with the facts that matter."""

from dataclasses import replace

import pytest

from powerloop.kernel.explain import Cause, Workers, explain
from powerloop.kernel.ids import SendId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus
from tests.unit.kernel.sightings import (
    CANCEL,
    LOCK,
    NOW,
    a_question,
    a_send,
    before,
    facts,
    queued,
    running,
    said,
    waiting,
)


def test_a_send_behind_another_is_told_whose_turn_it_is_and_why_that_one_is_not_done():
    head = waiting(questions=(a_question(),))
    behind = queued(
        send={"id": SendId("send-3"), "position": 3}, ahead=2, is_head=False, about={"ahead": head}
    )
    found = explain(behind)
    said(found, Cause.BEHIND, "Send send-3 waits for its turn in session session-1: 2 sends before it have")
    said(found, Cause.BEHIND, "Send send-1 waits for a person", "Which colour?")
    assert found.because == explain(head)
    assert found.hint == "Answer: powerloop inbox answer q-1"


def test_a_send_that_steers_is_told_where_its_input_goes():
    steers = {"id": SendId("send-2"), "position": 2, "policy": Policy.STEER}
    behind = queued(send=steers, ahead=1, is_head=False, about={"ahead": running()})
    said(
        explain(behind),
        Cause.BEHIND,
        "1 send before it has not ended",
        "the send that runs takes its input in",
    )


@pytest.mark.parametrize(
    "stuck", [queued(is_head=False), queued(send={"dispatched_at": None})], ids=["not its head", "no message"]
)
def test_a_session_that_has_not_moved_on_is_told(stuck):
    found = explain(stuck)
    said(found, Cause.NOT_DISPATCHED, "the next of session session-1", "A beat does it")
    assert "powerloop beat" in found.hint


def test_no_worker_is_told_with_when_the_last_one_was_there_and_what_waits():
    gone = Workers(alive=(), last_expired_at=before(180))
    found = explain(queued(workers=gone, about={"backlog": 7}))
    said(found, Cause.NO_WORKER, "the lease of the last one ran out 3 min ago", "dispatched 1.0 s ago")
    said(found, Cause.NO_WORKER, "7 messages of priority 0 wait")
    assert "powerloop worker" in found.hint


def test_no_worker_and_no_broker_are_both_told():
    never = Workers(alive=(), last_expired_at=None)
    found = explain(queued(workers=never, about={"backlog": None}))
    said(found, Cause.NO_WORKER, "there is no trace of one", "The broker does not answer either.")


def test_an_agent_that_no_living_worker_announced_is_named():
    found = explain(queued(agent_announced=False))
    said(found, Cause.AGENT_UNKNOWN, "agent 'support'", "2 workers", "agent.unknown")
    assert "POWERLOOP_APP" in found.hint


def test_the_agent_of_a_spec_is_not_missed_though_nobody_announces_its_name():
    assert explain(queued(agent_announced=False, send={"spec": {"base": "support"}})).code is Cause.STARTING


@pytest.mark.parametrize(("process", "state"), [("box:42", "is alive"), ("box:99", "is not alive")])
def test_a_lock_is_told_with_its_key_its_time_and_whether_its_holder_lives(process, state):
    found = explain(queued(about={"lock": replace(LOCK, process=process)}))
    said(found, Cause.LOCK_HELD, "powerloop:lock:session-1 runs out in 3.0 s", f"{process}, {state}.")


def test_a_lock_for_ever_is_told_with_how_to_delete_it():
    found = explain(queued(about={"lock": replace(LOCK, lasts=None)}))
    said(found, Cause.LOCK_HELD, "powerloop:lock:session-1 never runs out")
    assert "DEL powerloop:lock:session-1" in found.hint


def test_a_send_on_its_last_chance_is_told_how_many_claims_came_to_nothing():
    found = explain(queued(send={"strikes": 4, "attempt": 4}))
    said(found, Cause.LAST_CHANCE, "Its last 4 claims came to no commit; after 5 in a row", "the last one")


def test_a_send_whose_chances_are_used_up_is_told_that_it_will_fail():
    found = explain(queued(send={"strikes": 5, "attempt": 5}))
    said(found, Cause.POISON, "The worker that takes it next fails it as send.poison.")


def test_strikes_are_told_beside_another_cause():
    found = explain(
        queued(send={"strikes": 2, "attempt": 2}, workers=Workers(alive=(), last_expired_at=None))
    )
    said(found, Cause.NO_WORKER, "Its last 2 claims came to no commit")


def test_a_message_is_lost_where_the_queue_is_empty_and_a_beat_is_to_come():
    found = explain(queued(send={"dispatched_at": before(8)}, dispatches=2))
    said(found, Cause.MESSAGE_LOST, "its queue is empty", "dispatched 8.0 s ago, for the 2nd time")
    said(found, Cause.MESSAGE_LOST, "A beat publishes it again in 2.0 s.")
    assert found.hint == ""


def test_a_message_is_lost_where_later_ones_have_started():
    overtaken = queued(send={"dispatched_at": before(8)}, marked_at=before(2), about={"backlog": 3})
    said(explain(overtaken), Cause.MESSAGE_LOST, "sends that were dispatched later have started")


def test_a_message_that_stays_lost_points_to_a_missing_beat():
    found = explain(queued(send={"dispatched_at": before(60)}))
    said(found, Cause.MESSAGE_LOST, "it seems that none runs")
    assert "powerloop beat" in found.hint


def test_a_broker_that_is_away_is_told():
    found = explain(queued(send={"dispatched_at": before(60)}, about={"backlog": None}))
    said(found, Cause.BROKER_AWAY, "the broker does not answer", "dispatched 60 s ago")


def test_a_message_that_waits_among_others_is_told_with_their_number():
    found = explain(queued(about={"backlog": 42}))
    said(
        found, Cause.BACKLOG, "42 messages of priority 0 wait", "2 workers are alive", "dispatched 1.0 s ago"
    )


def test_a_send_that_was_dispatched_just_now_is_about_to_start():
    said(explain(queued()), Cause.STARTING, "about to claim it", "dispatched 1.0 s ago.")


def test_a_cancel_that_a_worker_has_still_to_carry_out_is_told_beside_what_keeps_the_worker():
    never = Workers(alive=(), last_expired_at=None)
    found = explain(queued(send={"cancel": CANCEL, "attempt": 1}, workers=never))
    said(found, Cause.NO_WORKER, 'asked for 3.0 s ago by ada: "no longer needed"', "takes it next ends it")


# What could not be seen


def test_what_could_not_be_seen_is_told_at_the_end_and_once():
    unseen = "Whether the lock of its session is held could not be seen: Redis at box:1 does not answer."
    head = running(about={"unseen": unseen})
    behind = queued(send={"position": 2}, ahead=1, is_head=False, about={"ahead": head, "unseen": unseen})
    for found in (explain(head), explain(behind)):
        assert found.text.endswith(unseen)
        assert found.text.count(unseen) == 1


def test_every_state_of_a_send_is_explained():
    for status in SendStatus:
        found = explain(facts(a_send(status, ended_at=NOW if status.is_final else None)))
        assert found.text.startswith("Send send-1 ")
