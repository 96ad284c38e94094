"""Calls that have a queue of their own, where the process that runs them dies, or loses its store."""

import asyncio

import pytest

from powerloop.kernel.calls import CallStatus, Finding
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.interactions import InteractionKind
from powerloop.testing.factories import make_agent
from tests.unit.kernel.elsewhere import (
    RUNNER,
    build,
    call_of,
    die_in,
    published,
    queued,
    serve,
    tools,
    until,
)


@pytest.fixture
def here(house, script):
    return build(house, script, make_agent(tools=tools(script)))


@pytest.fixture
def elsewhere(here):
    return serve(here)


async def test_a_dead_workers_call_runs_again_where_it_may(here, script, elsewhere):
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    await die_in(here, elsewhere, task_id)
    survivor = serve(here, WorkerId("runner-2"))
    assert await survivor.executor.drive(task_id) is Outcome.ENDED
    assert survivor.toolbox.called == ["c1"]
    assert (await call_of(here, send_id)).result == "seen"


@pytest.mark.parametrize(
    ("finding", "called", "result"),
    [(Finding.done("paid before"), [], "paid before"), (Finding.not_done(), ["c1"], "posted")],
)
async def test_a_dead_workers_call_that_must_not_run_twice_is_probed(
    here, script, elsewhere, finding, called, result
):
    send_id, [task_id] = await queued(here, script, ("c1", "post"))
    await die_in(here, elsewhere, task_id)
    survivor = serve(here, WorkerId("runner-2"))
    survivor.toolbox.findings["post"] = finding
    await survivor.executor.drive(task_id)
    assert survivor.toolbox.called == called
    assert (await call_of(here, send_id)).result == result


async def test_a_person_is_asked_where_nobody_can_tell_and_may_have_it_run(here, script, elsewhere):
    send_id, [task_id] = await queued(here, script, ("c1", "post"))
    await die_in(here, elsewhere, task_id)
    survivor = serve(here, WorkerId("runner-2"))
    await survivor.executor.drive(task_id)
    assert survivor.toolbox.called == []
    assert (await call_of(here, send_id)).status is CallStatus.IN_DOUBT
    [question] = await here.store.interactions.list()
    assert question.kind is InteractionKind.IN_DOUBT
    await here.store.interactions.answer(question.id, {"action": "run"})
    assert await here.executor().drive(send_id) is Outcome.WAITING
    [again] = published(here)
    assert again != task_id
    await survivor.executor.drive(again)
    assert survivor.toolbox.called == ["c1"]
    assert await here.executor().drive(send_id) is Outcome.ENDED


async def test_a_call_that_kills_its_process_each_time_is_given_up(here, script):
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    for number in range(3):
        await die_in(here, serve(here, WorkerId(f"victim-{number}")), task_id)
    survivor = serve(here, WorkerId("runner-2"))
    await survivor.executor.drive(task_id)
    assert survivor.toolbox.called == []
    call = await call_of(here, send_id)
    assert (call.status, "died, 3 times" in call.result) == (CallStatus.FAILED, True)


async def test_a_run_that_is_cancelled_from_outside_is_handed_over(here, script, elsewhere):
    elsewhere.toolbox.functions["browse"] = script.hang
    _, [task_id] = await queued(here, script, ("c1", "browse"))
    running = asyncio.create_task(elsewhere.executor.drive(task_id))
    await until(lambda: elsewhere.toolbox.called)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    task = await here.store.tool_tasks.find(task_id)
    assert (task.status, task.owner, task.strikes) == ("queued", None, 0)
    assert published(here) == [task_id]


async def test_a_run_that_nobody_waits_for_any_more_is_cut_off_and_writes_nothing(here, script, elsewhere):
    elsewhere.toolbox.functions["browse"] = script.hang
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    running = asyncio.create_task(elsewhere.executor.drive(task_id))
    await until(lambda: elsewhere.toolbox.called)
    elsewhere.executor.reconcile(here.leases.held_tasks(RUNNER))
    await here.cancel(send_id)
    before = await here.store.tool_tasks.find(task_id)
    elsewhere.executor.reconcile(here.leases.held_tasks(RUNNER))
    assert await running is Outcome.LOST
    assert await here.store.tool_tasks.find(task_id) == before
    assert await here.executor().drive(send_id) is Outcome.ENDED
    assert (await here.store.tool_tasks.find(task_id)).status == "cancelled"


async def test_what_the_database_says_runs_here_and_does_not_is_given_back(here, script, elsewhere):
    _, [task_id] = await queued(here, script, ("c1", "browse"))
    task = await here.store.tool_tasks.find(task_id)
    await here.store.tool_tasks.claim(task, RUNNER)
    elsewhere.executor.reconcile(here.leases.held_tasks(RUNNER))
    await until(lambda: here.recorder.published)
    assert published(here) == [task_id]


async def test_a_process_that_is_thought_dead_abandons_its_runs(here, script, elsewhere):
    elsewhere.toolbox.functions["browse"] = script.hang
    _, [task_id] = await queued(here, script, ("c1", "browse"))
    running = asyncio.create_task(elsewhere.executor.drive(task_id))
    await until(lambda: elsewhere.toolbox.called)
    assert elsewhere.executor.running == 1
    elsewhere.executor.abandon()
    assert await running is Outcome.LOST
    assert (await here.store.tool_tasks.find(task_id)).status == "running"


async def test_how_a_call_ended_is_written_when_the_store_is_back(here, script, elsewhere, monkeypatch):
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    tasks, tries = here.store.tool_tasks, []
    conclude = tasks.conclude

    async def hesitant(claim, came_to):
        tries.append(claim)
        if len(tries) == 1:
            raise StoreUnavailable("away")
        return await conclude(claim, came_to)

    monkeypatch.setattr(tasks, "conclude", hesitant)
    assert await elsewhere.executor.drive(task_id) is Outcome.ENDED
    assert (len(tries), elsewhere.toolbox.called) == (2, ["c1"])
    assert (await call_of(here, send_id)).result == "seen"
