"""Calls that have a queue of their own, where the process that runs them dies, or loses its store."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from powerloop.kernel import carrying
from powerloop.kernel.calls import CallStatus, Finding
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import InvalidInput, StoreUnavailable
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


async def test_a_row_that_was_read_before_another_claim_does_not_hide_that_claim(
    here, script, elsewhere, monkeypatch
):
    """The row is read, and then somebody else runs the call and hands it over: it must be probed."""
    send_id, [task_id] = await queued(here, script, ("c1", "post"))
    tasks = here.store.tool_tasks
    unclaimed = await tasks.find(task_id)
    claim = await tasks.claim(unclaimed, RUNNER)
    await tasks.hand_over(claim)
    late = serve(here, WorkerId("runner-2"))

    async def stale(_):
        return unclaimed

    monkeypatch.setattr(tasks, "find", stale)
    await late.executor.drive(task_id)
    assert (late.toolbox.probed, late.toolbox.called) == (["c1"], [])
    assert (await call_of(here, send_id)).status is CallStatus.IN_DOUBT


async def test_a_probe_is_asked_of_what_the_call_was_run_with(here, script, elsewhere):
    asked = []

    async def probe(agent, send, call):
        asked.append(call.arguments)
        return Finding.done("sent before")

    _, [task_id] = await queued(here, script, ("c1", "post"))
    state = here.store.state
    state.tasks[task_id] = replace(state.tasks[task_id], arguments={"to": "ada"})
    await die_in(here, elsewhere, task_id)
    survivor = serve(here, WorkerId("runner-2"))
    survivor.toolbox.probe = probe
    await survivor.executor.drive(task_id)
    assert asked == [{"to": "ada"}]


async def test_a_call_that_must_not_run_twice_and_kills_its_process_is_put_to_a_person(here, script):
    send_id, [task_id] = await queued(here, script, ("c1", "post"))
    for number in range(3):
        await die_in(here, serve(here, WorkerId(f"victim-{number}")), task_id)
    await serve(here, WorkerId("runner-2")).executor.drive(task_id)
    assert (await call_of(here, send_id)).status is CallStatus.IN_DOUBT


async def test_a_defect_fails_the_call_at_once_and_says_which(here, script, elsewhere):
    async def broken(call):
        raise LookupError("no page")

    elsewhere.toolbox.functions["browse"] = broken
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    assert await elsewhere.executor.drive(task_id) is Outcome.ENDED
    call = await call_of(here, send_id)
    assert (call.status, "LookupError: no page" in call.result) == (CallStatus.FAILED, True)


async def test_what_cannot_be_written_down_fails_the_call_and_does_not_run_it_again(
    here, script, elsewhere, monkeypatch
):
    tasks, conclude = here.store.tool_tasks, here.store.tool_tasks.conclude

    async def refusing(claim, came_to):
        if came_to.status is CallStatus.DONE:
            raise InvalidInput("a value is not JSON.")
        return await conclude(claim, came_to)

    monkeypatch.setattr(tasks, "conclude", refusing)
    send_id, [task_id] = await queued(here, script, ("c1", "browse"))
    assert await elsewhere.executor.drive(task_id) is Outcome.ENDED
    call = await call_of(here, send_id)
    assert (elsewhere.toolbox.called, call.status) == (["c1"], CallStatus.FAILED)
    assert "a value is not JSON" in call.result


async def test_a_tool_that_does_not_heed_its_cancellation_holds_nothing_up(
    here, script, elsewhere, monkeypatch
):
    monkeypatch.setattr(carrying, "_CLEAN_UP_S", 0.01)
    stubborn = asyncio.Event()

    async def deaf(call):
        while not stubborn.is_set():
            with suppress(asyncio.CancelledError):
                await stubborn.wait()

    elsewhere.toolbox.functions["browse"] = deaf
    _, [task_id] = await queued(here, script, ("c1", "browse"))
    running = asyncio.create_task(elsewhere.executor.drive(task_id))
    await until(lambda: elsewhere.toolbox.called)
    elsewhere.executor.abandon()
    async with asyncio.timeout(2):
        assert await running is Outcome.LOST
    assert elsewhere.executor.running == 0
    stubborn.set()
