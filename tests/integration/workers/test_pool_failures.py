"""What becomes of the tasks when the worker, the broker, the loop or a coroutine fails."""

import time

import pytest

from powerloop.workers.exit_codes import ExitCode

pytestmark = pytest.mark.integration

SHORT_VISIBILITY = {
    "broker_transport_options": {
        "visibility_timeout": 2,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
}


def test_a_killed_workers_task_is_delivered_again(workshop):
    worker = workshop.start(**SHORT_VISIBILITY)
    task = workshop.send("nap", "twice", 1)
    workshop.noted("nap twice begins")
    worker.kill()
    workshop.start(**SHORT_VISIBILITY)
    assert workshop.outcome(task)["status"] == "SUCCESS"
    assert workshop.notes().count("nap twice begins") == 2


def test_a_broker_that_restarts_loses_nothing_and_nothing_runs_twice(durable_workshop, durable_redis):
    workshop = durable_workshop
    workshop.start()
    running = workshop.send("rest", 3)
    workshop.noted("rest begins")
    durable_redis.kill()
    durable_redis.start()
    assert workshop.result(running) == "rested"
    assert workshop.result(workshop.send("plain", "afterwards")) == "afterwards"
    workshop.all_acknowledged()
    assert workshop.notes().count("rest begins") == 1


def test_what_ends_while_the_broker_is_away_is_acknowledged_when_it_is_back(durable_workshop, durable_redis):
    workshop = durable_workshop
    worker = workshop.start(task_ignore_result=True)
    workshop.send("rest", 1)
    workshop.noted("rest begins")
    durable_redis.kill()
    workshop.eventually(lambda: "'rested'" in worker.log, "the task ends")
    durable_redis.start()
    workshop.all_acknowledged()
    workshop.send("quick")
    workshop.all_acknowledged()
    assert workshop.notes().count("rest begins") == 1


def test_a_coroutine_that_never_ends_costs_the_process_but_not_the_other_tasks(workshop):
    worker = workshop.start()
    stubborn = workshop.send("stubborn")
    workshop.noted("stubborn begins")
    workshop.app.control.revoke(stubborn, terminate=True)
    workshop.noted("stubborn swallows")
    other = workshop.send("nap", "beside", 12)
    assert worker.exit_code(within=60) == ExitCode.LEAKED
    assert workshop.outcome(other)["status"] == "SUCCESS"
    assert "a coroutine goes on though it was cancelled for 10 s" in worker.log
    assert workshop.unacknowledged() == 0


def test_a_blocked_loop_is_told_with_the_place_where_it_hangs(workshop):
    worker = workshop.start(powerloop_stall_warning=0.5)
    workshop.send("block", 2)
    workshop.eventually(lambda: "the event loop answers again" in worker.log, "the stall is over")
    assert worker.log.count("the event loop does not answer") == 1
    assert "time.sleep(seconds)" in worker.log
    assert workshop.result(workshop.send("plain", 1)) == 1


def test_a_loop_that_stays_blocked_ends_the_process(workshop):
    worker = workshop.start(powerloop_stall_exit=1)
    workshop.send("block", 60)
    assert worker.exit_code() == ExitCode.STALLED
    assert workshop.unacknowledged() == 1


def test_a_thread_that_blocks_does_not_keep_the_process_for_ever(workshop):
    worker = workshop.start(powerloop_drain_timeout=0.1)
    workshop.send("block_thread", 600)
    workshop.noted("block_thread begins")
    worker.terminate()
    assert worker.exit_code(within=40) == ExitCode.STUCK
    assert workshop.queued() == 1


def test_the_heartbeat_file_is_there_while_the_loop_answers(workshop, tmp_path):
    file = tmp_path / "alive"
    workshop.start(powerloop_heartbeat_file=str(file))
    workshop.eventually(file.exists, "the heartbeat file is touched")
    assert time.time() - file.stat().st_mtime < 10
