"""How a worker with the asyncio pool shuts down: warm, at its drain deadline, cold, and soft."""

import time

import pytest

pytestmark = pytest.mark.integration

EX_OK = 0
EX_FAILURE = 1


def test_a_warm_shutdown_finishes_what_runs_and_leaves_the_queue(workshop):
    worker = workshop.start(concurrency=2)
    tasks = [workshop.send("nap", number, 1) for number in range(5)]
    workshop.noted("nap 1 begins")
    worker.terminate()
    assert worker.exit_code() == EX_OK
    assert [workshop.outcome(task)["status"] for task in tasks[:2]] == ["SUCCESS", "SUCCESS"]
    assert workshop.queued() == 3
    assert workshop.unacknowledged() == 0
    assert "nap 2 begins" not in workshop.notes()


def test_an_idle_worker_ends_at_once_and_closes_what_it_opened(workshop):
    worker = workshop.start(powerloop_drain_timeout=60)
    began = time.monotonic()
    worker.terminate()
    assert worker.exit_code() == EX_OK
    assert time.monotonic() - began < 8
    assert workshop.notes() == ["started", "stopped, was draining"]


def test_at_the_drain_deadline_what_runs_goes_back_to_the_queue(workshop):
    worker = workshop.start(concurrency=3, powerloop_drain_timeout=1)
    for task in ("long", "longer"):
        workshop.send("nap", task, 60)
    handed_over = workshop.send("hand_over")
    for note in ("nap long begins", "nap longer begins", "hand_over begins"):
        workshop.noted(note)
    began = time.monotonic()
    worker.terminate()
    assert worker.exit_code() == EX_OK
    assert time.monotonic() - began < 10
    assert workshop.outcome(handed_over)["status"] == "SUCCESS"
    assert {"nap long cancelled", "nap longer cancelled", "hand_over ends"} <= set(workshop.notes())
    assert (workshop.queued(), workshop.unacknowledged()) == (2, 0)

    workshop.start(concurrency=3)
    workshop.eventually(lambda: workshop.notes().count("nap long begins") == 2, "it is run again")


def test_what_ends_during_the_drain_is_acknowledged_during_the_drain(workshop):
    worker = workshop.start(concurrency=2, powerloop_drain_timeout=60)
    workshop.send("nap", "short", 1)
    workshop.send("nap", "long", 60)
    workshop.noted("nap short begins")
    workshop.noted("nap long begins")
    worker.terminate()
    workshop.noted("nap short ends")
    workshop.eventually(lambda: workshop.unacknowledged() == 1, "the short one is acknowledged", within=5)
    assert worker.process.poll() is None


def test_a_cold_shutdown_puts_what_runs_back(workshop):
    worker = workshop.start(concurrency=2)
    for name in ("one", "two"):
        workshop.send("nap", name, 60)
        workshop.noted(f"nap {name} begins")
    began = time.monotonic()
    worker.quit()
    assert worker.exit_code() in (EX_OK, EX_FAILURE)
    assert time.monotonic() - began < 10
    assert (workshop.queued(), workshop.unacknowledged()) == (2, 0)
    assert {"nap one cancelled", "nap two cancelled", "stopped, was draining"} <= set(workshop.notes())


def test_a_soft_shutdown_gives_tasks_their_time_and_puts_the_others_back(workshop):
    worker = workshop.start(
        concurrency=2, environ={"REMAP_SIGTERM": "SIGQUIT"}, worker_soft_shutdown_timeout=2
    )
    short = workshop.send("nap", "short", 1)
    workshop.send("nap", "long", 60)
    workshop.noted("nap short begins")
    workshop.noted("nap long begins")
    began = time.monotonic()
    worker.terminate()
    assert worker.exit_code() in (EX_OK, EX_FAILURE)
    assert time.monotonic() - began < 12
    assert workshop.outcome(short)["status"] == "SUCCESS"
    assert (workshop.queued(), workshop.unacknowledged()) == (1, 0)


def test_a_second_signal_cuts_a_drain_short(workshop):
    worker = workshop.start(concurrency=1, powerloop_drain_timeout=60)
    workshop.send("nap", "long", 60)
    workshop.noted("nap long begins")
    worker.terminate()
    workshop.eventually(lambda: "Warm shutdown" in worker.log, "the drain begins")
    worker.quit()
    worker.exit_code()
    assert (workshop.queued(), workshop.unacknowledged()) == (1, 0)


def test_a_lifecycle_that_cannot_start_ends_the_worker_with_an_error(workshop):
    worker = workshop.launch(environ={"PROBE_FAILS": "1"})
    assert worker.exit_code(within=30) == EX_FAILURE
    assert "the database is away" in worker.log
