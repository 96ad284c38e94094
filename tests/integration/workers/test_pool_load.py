"""How much runs at once, and how soon the next task begins."""

import time

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.takes("machine")]


def test_a_worker_of_one_goes_from_task_to_task_without_a_pause(workshop):
    """An acknowledgement that waits for the hub's poller costs 0.6 s a task."""
    workshop.start(concurrency=1)
    workshop.send("quick")
    workshop.all_acknowledged()
    began = time.monotonic()
    for _ in range(20):
        workshop.send("quick")
    workshop.all_acknowledged()
    assert time.monotonic() - began < 2


def test_a_thousand_tasks_run_at_once_in_one_process(workshop):
    workshop.start(concurrency=1000)
    for _ in range(1000):
        workshop.send("meet", 1000)
    workshop.all_acknowledged(within=60)


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param({}, id="the prefetch count is the gate"),
        pytest.param({"task_acks_late": False, "worker_prefetch_multiplier": 4}, id="the pool is the gate"),
    ],
)
def test_no_more_run_at_once_than_the_concurrency(workshop, conf):
    workshop.start(concurrency=3, **conf)
    for number in range(9):
        workshop.send("nap", number, 0.3)
    workshop.noted("nap 8 ends")
    assert max(map(int, workshop.redis.lrange("napping:seen", 0, -1))) == 3
