"""Jobs on the loop: their limits, their ends, and what Celery is told."""

import asyncio

import pytest
from celery.exceptions import Reject, SoftTimeLimitExceeded, Terminated

from powerloop.workers.jobs import Ending, TimeLimits


async def for_ever():
    await asyncio.Event().wait()


async def test_a_job_is_accepted_and_succeeds(bench, eventually):
    async def body():
        return "result"

    bench.runner.add(bench.job(1, body))
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.reports == [("accept", 1, None), ("success", 1, "result")]


async def test_no_more_jobs_run_at_once_than_the_limit_and_the_others_keep_their_order(bench, eventually):
    gate = asyncio.Event()
    for job_id in range(1, 6):
        bench.runner.add(bench.job(job_id, gate.wait))
    assert list(bench.runner.running) == [1, 2]
    assert [job.id for job in bench.runner.waiting] == [3, 4, 5]
    gate.set()
    await eventually(lambda: not bench.runner.running, "all jobs end")
    assert [report[1] for report in bench.told.reports if report[0] == "accept"] == [1, 2, 3, 4, 5]


async def test_a_greater_limit_starts_jobs_that_wait(bench):
    for job_id in range(1, 4):
        bench.runner.add(bench.job(job_id, for_ever))
    bench.runner.resize(3)
    assert list(bench.runner.running) == [1, 2, 3]


async def test_dropped_jobs_never_begin(bench, eventually):
    for job_id in range(1, 4):
        bench.runner.add(bench.job(job_id, for_ever))
    bench.runner.drop_waiting()
    bench.runner.end_all(Ending.TERMINATED)
    await eventually(lambda: not bench.runner.running, "the running jobs end")
    assert bench.told.kinds(3) == []


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
async def test_whatever_the_tracer_raises_is_reported(bench, eventually, error):
    async def body():
        await asyncio.sleep(0)
        raise error

    bench.runner.add(bench.job(1, body))
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.last(1) is error


async def test_a_coroutine_that_cancels_itself_has_failed(bench, eventually):
    async def body():
        raise asyncio.CancelledError

    bench.runner.add(bench.job(1, body))
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert isinstance(bench.told.last(1), Exception)
    assert type(bench.told.last(1)).__name__ == "CancelledError"


async def test_the_hard_limit_ends_a_job(bench, eventually):
    bench.runner.add(bench.job(1, for_ever, TimeLimits(hard=0.02)))
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.reports[1:] == [("timeout", 1, (False, 0.02))]


async def test_the_soft_limit_raises_in_the_tracer_which_may_go_on(bench, eventually):
    async def waits():
        await asyncio.sleep(0.001)
        return "went on"

    job = bench.job(1, for_ever, TimeLimits(soft=0.02))
    bounded = job._call

    def tracer():
        with pytest.raises(SoftTimeLimitExceeded):
            bounded()
        return bench.job(2, waits)._call()

    job._call = tracer
    bench.runner.add(job)
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.reports[1:] == [("timeout", 1, (True, 0.02)), ("success", 1, "went on")]


async def test_time_limits_count_from_the_jobs_start(bench, eventually):
    gate = asyncio.Event()
    bench.runner.resize(1)
    bench.runner.add(bench.job(1, for_ever, TimeLimits(hard=0.05)))
    bench.runner.add(bench.job(2, gate.wait, TimeLimits(hard=0.06)))
    await eventually(lambda: bench.told.kinds(1)[-1] == "timeout", "the first job reaches its limit")
    gate.set()
    await eventually(lambda: not bench.runner.running, "the second job ends")
    assert bench.told.kinds(2) == ["accept", "success"]


async def test_the_ended_job_is_told_apart_by_its_reason(bench, eventually):
    for job_id in (1, 2):
        bench.runner.add(bench.job(job_id, for_ever))
    await asyncio.sleep(0)
    bench.runner.end(1, Ending.TERMINATED, 15)
    bench.runner.end(2, Ending.DRAINED)
    bench.runner.end(2, Ending.TERMINATED, 15)
    await eventually(lambda: not bench.runner.running, "the jobs end")
    terminated, requeued = bench.told.last(1), bench.told.last(2)
    assert isinstance(terminated, Terminated)
    assert terminated.args == (15,)
    assert isinstance(requeued, Reject)
    assert requeued.requeue


async def test_a_job_that_is_ended_before_its_first_step_is_reported(bench, eventually):
    bench.runner.add(bench.job(1, for_ever))
    bench.runner.end(1, Ending.TERMINATED, 9)
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.kinds(1) == ["accept", "error"]


async def test_ending_a_job_that_has_ended_is_nothing(bench, eventually):
    bench.runner.add(bench.job(1, asyncio.Event().wait))
    bench.runner.end(1, Ending.TERMINATED)
    await eventually(lambda: not bench.runner.running, "the job ends")
    bench.runner.end(1, Ending.TERMINATED)
    assert bench.told.kinds(1) == ["accept", "error"]


async def test_a_job_that_ends_well_in_spite_of_its_cancellation_has_ended_well(bench, eventually):
    async def body():
        try:
            await for_ever()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "handed over"

    bench.runner.add(bench.job(1, body))
    await asyncio.sleep(0)
    bench.runner.end(1, Ending.DRAINED)
    await eventually(lambda: not bench.runner.running, "the job ends")
    assert bench.told.last(1) == "handed over"


async def test_a_coroutine_that_swallows_its_cancellation_is_cancelled_again_and_then_given_up(
    bench, eventually, caplog
):
    swallowed = 0
    enough = asyncio.Event()

    async def body():
        nonlocal swallowed
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                swallowed += 1

    job = bench.job(1, body)
    bench.runner.add(job)
    await asyncio.sleep(0)
    bench.runner.end(1, Ending.DRAINED)
    await eventually(lambda: bench.leaks, "the job is given up")
    assert swallowed > 2
    assert bench.runner.leaked == 1
    assert isinstance(bench.told.last(1), Reject)
    assert "was cancelled for 0.1 s" in caplog.text

    told = len(bench.told.reports)
    enough.set()
    await job.task
    assert len(bench.told.reports) == told, "its real end is no second report"


async def test_a_given_up_job_makes_room_for_another(bench, eventually):
    enough = asyncio.Event()

    async def body():
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                continue

    async def quick():
        return "ran"

    bench.runner.resize(1)
    bench.runner.add(bench.job(1, body))
    bench.runner.add(bench.job(2, quick))
    await asyncio.sleep(0)
    bench.runner.end(1, Ending.HARD_LIMIT)
    await eventually(lambda: "success" in bench.told.kinds(2), "the next job runs")
    enough.set()


async def test_draining_begins_no_job_and_tells_the_end_behind_all_reports(bench, eventually):
    gate = asyncio.Event()
    for job_id in range(1, 4):
        bench.runner.add(bench.job(job_id, gate.wait))
    bench.runner.begin_drain(lambda: bench.told.note("empty", 0, None))
    bench.runner.add(bench.job(4, gate.wait))
    gate.set()
    await eventually(lambda: bench.told.kinds(0), "the pool is empty")
    assert [report[:2] for report in bench.told.reports] == [
        ("accept", 1),
        ("accept", 2),
        ("success", 1),
        ("success", 2),
        ("empty", 0),
    ]


async def test_an_idle_pool_is_empty_at_once(bench):
    bench.runner.begin_drain(lambda: bench.told.note("empty", 0, None))
    assert bench.told.kinds(0) == ["empty"]
