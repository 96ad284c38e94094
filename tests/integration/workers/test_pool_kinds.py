"""The same tasks in the asyncio pool and in Celery's own."""

import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("pool", ["custom", "prefork", "solo", "threads"])
def test_a_coroutine_task_means_the_same_in_every_pool(workshop, pool):
    # One slot: with two processes Celery's own RETRY of one attempt may overwrite the SUCCESS of the next.
    worker = workshop.start(pool=pool, concurrency=1)
    first, second = workshop.send("echo", 1), workshop.send("echo", 2)
    assert [workshop.result(task)["id"] for task in (first, second)] == [[first] * 2, [second] * 2]
    assert workshop.outcome(workshop.send("fail"))["result"]["exc_type"] == "ValueError"
    assert workshop.result(workshop.send("retry_twice")) == 2
    assert workshop.result(workshop.send("reject", "once", True)) == "accepted at last"
    # More tasks than processes, with a client that is bound to the loop.
    assert [workshop.result(workshop.send("nap", number, 0.01)) for number in range(5)] == [0, 1, 2, 3, 4]

    worker.terminate()
    assert worker.exit_code() == 0
    started = workshop.noting_processes("started")
    stopped = workshop.noting_processes("stopped") | workshop.noting_processes("stopped, was draining")
    assert started == stopped
    assert (worker.process.pid in started) == (pool != "prefork")
    assert workshop.notes().count("started") == len(started) == 1


def test_time_limits_work_in_prefork_too(workshop):
    workshop.start(pool="prefork", concurrency=2)
    soft, hard = workshop.send("soft_limited"), workshop.send("hard_limited")
    assert workshop.outcome(soft)["result"]["exc_type"] == "SoftTimeLimitExceeded"
    assert workshop.outcome(hard)["result"]["exc_type"] == "TimeLimitExceeded"
    assert "soft limit cleans up" in workshop.notes()
    assert workshop.result(workshop.send("plain", "alive")) == "alive"
