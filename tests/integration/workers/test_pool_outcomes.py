"""Every way in which a task can end in the asyncio pool, told as Celery tells it of prefork."""

import time
from uuid import uuid4

import pytest
from celery import chain

pytestmark = pytest.mark.integration


@pytest.fixture
def workshop(shared_workshop):
    """One worker for all: none of these tests ends it."""
    yield shared_workshop
    shared_workshop.all_acknowledged()


def test_a_coroutine_returns_and_knows_its_request_all_the_time(workshop):
    task_id = workshop.send("echo", "hello")
    assert workshop.result(task_id) == {"value": "hello", "id": [task_id, task_id], "retries": 0}


def test_a_task_that_is_no_coroutine_runs_too(workshop):
    assert workshop.result(workshop.send("plain", 7)) == 7


def test_an_error_is_a_failure(workshop):
    outcome = workshop.outcome(workshop.send("fail"))
    assert outcome["status"] == "FAILURE"
    assert outcome["result"]["exc_type"] == "ValueError"
    assert outcome["result"]["exc_message"] == ["as it was told"]


@pytest.mark.parametrize(
    ("task", "error"), [("leave", "WorkerLostError"), ("cancel_itself", "CancelledError")]
)
def test_a_task_that_leaves_takes_nobody_with_it(workshop, task, error):
    other = workshop.send("nap", "beside", 0.3)
    assert workshop.outcome(workshop.send(task))["result"]["exc_type"] == error
    assert workshop.result(other) == "beside"


def test_an_ignored_task_leaves_no_result(workshop):
    task_id = workshop.send("ignore")
    workshop.all_acknowledged()
    assert workshop.redis.get(f"celery-task-meta-{task_id}") is None


def test_a_rejected_message_is_delivered_again_if_it_asks_for_it(workshop):
    assert workshop.result(workshop.send("reject", uuid4().hex, True)) == "accepted at last"
    outcome = workshop.outcome(workshop.send("reject", uuid4().hex, False))
    assert outcome["status"] == "FAILURE"
    assert outcome["result"]["exc_type"] == "Reject"


def test_retries_count(workshop):
    assert workshop.result(workshop.send("retry_twice")) == 2
    assert workshop.result(workshop.send("retry_by_itself")) == "done"


def test_links_and_error_callbacks_are_called(workshop):
    linked = uuid4().hex
    workshop.send("double", 4, link=workshop.signature("double", task_id=linked))
    assert workshop.result(linked) == 16
    failed = workshop.send("fail", link_error=[workshop.signature("heal"), workshop.signature("note_error")])
    workshop.noted(f"healed {failed}: as it was told")
    workshop.noted(f"failed {failed}")


def test_a_chain_passes_its_results_on(workshop):
    last = uuid4().hex
    double = workshop.signature("double")
    chain(workshop.signature("double", 1), double, double.clone().set(task_id=last)).apply_async()
    assert workshop.result(last) == 8


def test_a_chord_calls_its_body_once_with_all_results(workshop):
    body = uuid4().hex
    workshop.send("fan_out", 10, body)
    assert workshop.result(body) == 90


def test_the_soft_limit_lets_the_coroutine_clean_up_and_fails_the_task(workshop):
    outcome = workshop.outcome(workshop.send("soft_limited"))
    assert outcome["result"]["exc_type"] == "SoftTimeLimitExceeded"
    assert "soft limit cleans up" in workshop.notes()


def test_the_coroutine_sees_the_soft_limit_as_its_cancellation(workshop):
    assert workshop.result(workshop.send("catch_soft_limit", soft_time_limit=0.2)) == "cancelled"


def test_the_hard_limit_ends_the_task(workshop):
    began = time.monotonic()
    outcome = workshop.outcome(workshop.send("hard_limited"))
    assert outcome["result"]["exc_type"] == "TimeLimitExceeded"
    assert time.monotonic() - began < 10
    assert "hard limit cleans up" in workshop.notes()


def test_a_revoked_task_is_terminated_while_it_runs(workshop):
    task_id = workshop.send("nap", "revoked", 60)
    workshop.noted("nap revoked begins")
    workshop.app.control.revoke(task_id, terminate=True)
    assert workshop.outcome(task_id)["status"] == "REVOKED"
    workshop.noted("nap revoked cancelled")


def test_a_task_that_was_revoked_before_it_began_never_begins(workshop):
    task_id = uuid4().hex
    workshop.app.control.revoke(task_id, reply=True)
    workshop.send("nap", "never", 60, task_id=task_id)
    assert workshop.outcome(task_id)["status"] == "REVOKED"
    assert "nap never begins" not in workshop.notes()


def test_operators_see_what_runs(workshop):
    task_id = workshop.send("nap", "seen", 1)
    workshop.noted("nap seen begins")
    inspect = workshop.app.control.inspect(timeout=5, limit=1)
    (active,) = inspect.active().values()
    (stats,) = inspect.stats().values()
    assert [(task["id"], task["args"]) for task in active] == [(task_id, ["seen", 1])]
    assert isinstance(active[0]["worker_pid"], int)
    assert stats["pool"]["running"] == 1
    assert stats["pool"]["max-concurrency"] == 10


def test_operators_grow_and_shrink_the_pool(workshop):
    control = workshop.app.control
    assert control.pool_grow(2, reply=True, timeout=5, limit=1)[0].popitem()[1] == {"ok": "pool will grow"}
    (stats,) = control.inspect(timeout=5, limit=1).stats().values()
    assert stats["pool"]["max-concurrency"] == 12
    control.pool_shrink(2, reply=True, timeout=5, limit=1)
    (answer,) = control.pool_shrink(10, reply=True, timeout=5, limit=1)
    assert "cannot shrink by 10" in answer.popitem()[1]["error"]
