"""Runs of workflows in every store: joins, repetition, time, signals, pauses, and going on after an end."""

import asyncio

import pytest

from powerloop.kernel.errors import RunNotFound
from powerloop.kernel.ids import RunId, SendId
from powerloop.kernel.ports.workflows import Said
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.workflows import NodeStatus, RunStatus
from tests.conformance.store.running import Runs, ended, foreach, leaf, parallel, steps


@pytest.fixture
def runs(desk) -> Runs:
    return Runs(desk)


async def test_a_step_that_is_taken_twice_changes_nothing(runs):
    run_id = await runs.start_root(steps(leaf("a"), leaf("b", input="{{a}}")))
    await runs.said(run_id, "root.steps[0]", "hello")
    before = await runs.store.workflows.nodes(run_id)
    await runs.advance(run_id)
    await runs.advance(run_id)
    assert await runs.store.workflows.nodes(run_id) == before
    assert await runs.paths(run_id) == ["root.steps[1]"]


async def test_the_end_of_a_run_ends_the_call_that_waits_for_it_once(runs):
    run_id = await runs.start_root(leaf("a"))
    await runs.said(run_id, "root", "the end")
    await runs.advance(run_id)
    assert [send.id for send in runs.woken] == [run_id]
    (call,) = await runs.store.journal.load_calls(SendId(run_id))
    assert (call.status, call.result) == ("done", "the end")
    assert await ended(runs, run_id) == (RunStatus.DONE, "the end", "")


async def test_a_window_lets_the_next_one_begin_with_each_end(runs):
    run_id = await runs.start_root(foreach(5, leaf("a", input="{{i}}"), max_concurrency=2))
    assert await runs.paths(run_id) == ["root.body#0", "root.body#1"]
    await runs.said(run_id, "root.body#1", "x")
    assert await runs.paths(run_id) == ["root.body#0", "root.body#2"]
    node = await runs.at(run_id, "root")
    assert (node.total, node.begun, node.ended, node.done, node.bad) == (5, 3, 1, 1, 0)


async def test_two_ends_that_are_taken_note_of_at_once_make_one_join(runs):
    run_id = await runs.start_root(steps(parallel(leaf("a"), leaf("b")), leaf("c", input="{{p.a}}{{p.b}}")))
    for send in list(runs.open.values()):
        await runs.end(send, "x")
    await runs.advance(run_id)
    assert await runs.paths(run_id) == ["root.steps[1]"]
    (last,) = runs.open.values()
    assert last.content[0].text == "xx"


async def test_losers_are_let_go_of_and_a_late_result_is_kept_of_those_that_may_finish(runs):
    fast = parallel(leaf("a"), leaf("b"), join="any")
    slow = parallel(leaf("c"), leaf("d"), join="any", losers="finish") | {"id": "q"}
    run_id = await runs.start_root(steps(fast, slow))
    loser = (await runs.at(run_id, "root.steps[0].branches[1]")).id
    await runs.said(run_id, "root.steps[0].branches[0]", "first")
    assert runs.unwanted == [loser]
    await runs.said(run_id, "root.steps[1].branches[0]", "third")
    assert await ended(runs, run_id) == (RunStatus.DONE, {"c": "third", "d": None}, "")
    await runs.said(run_id, "root.steps[1].branches[1]", "late")
    late = await runs.at(run_id, "root.steps[1].branches[1]")
    assert (late.status, late.value) == (NodeStatus.DONE, "late")
    assert (await ended(runs, run_id))[1] == {"c": "third", "d": None}


async def test_the_send_of_a_loser_is_asked_to_end_by_whoever_sweeps(runs):
    run_id = await runs.start_root(parallel(leaf("a"), leaf("b"), join="any"))
    loser = await runs.at(run_id, "root.branches[1]")
    await runs.said(run_id, "root.branches[0]", "first")
    (disowned,) = await runs.store.workflow_recovery.disown(10)
    assert (disowned.id, disowned.status) == (loser.id, SendStatus.QUEUED)
    assert disowned.cancel is not None
    assert not await runs.store.workflow_recovery.disown(10)


async def test_a_node_is_tried_again_after_its_backoff(runs):
    run_id = await runs.start_root(leaf("a", retry={"attempts": 3, "backoff_s": 0.05}))
    await runs.said(run_id, "root", None)
    again = await runs.at(run_id, "root")
    assert (again.attempt, again.status, runs.open) == (2, NodeStatus.DELAYED, {})
    await until_due(runs, run_id)
    await runs.said(run_id, "root", "at last")
    assert await ended(runs, run_id) == (RunStatus.DONE, "at last", "")
    attempts = [(node.attempt, node.status) for node in await runs.store.workflows.nodes(run_id)]
    assert attempts == [(1, NodeStatus.FAILED), (2, NodeStatus.DONE)]


async def until_due(runs: Runs, run_id: RunId) -> None:
    """Wait until the run has something to take note of, and have it do so."""
    for _ in range(500):
        if run_id in [one.run_id for one in await runs.store.workflow_recovery.due(100)]:
            await runs.advance(run_id)
            return
        await asyncio.sleep(0.01)
    pytest.fail("nothing is due")


async def test_an_error_that_is_not_among_those_to_retry_on_fails_at_once(runs):
    run_id = await runs.start_root(leaf("a", retry={"attempts": 3, "on": ["model.rate_limited"]}))
    await runs.said(run_id, "root", None, "model.rejected")
    assert await ended(runs, run_id) == (RunStatus.FAILED, None, "model.rejected")


async def test_a_timeout_fails_the_node_and_lets_go_of_all_below(runs):
    slow = parallel(leaf("a"), leaf("b"), timeout_s=0.05)
    run_id = await runs.start_root(steps(slow | {"on_error": "continue"}, leaf("c")))
    await until_due(runs, run_id)
    assert len(runs.unwanted) == 2
    node = await runs.at(run_id, "root.steps[0]")
    assert (node.status, node.code, node.tolerated) == (NodeStatus.FAILED, "timeout", True)
    assert await runs.paths(run_id) == ["root.steps[1]"]


async def test_a_person_who_does_not_answer_in_time_is_taken_to_have_said_the_default(runs):
    ask = {"type": "human", "id": "h", "prompt": "?", "timeout_s": 0.05, "default": {"go": True}}
    run_id = await runs.start_root(ask)
    (question,) = runs.open.values()
    await until_due(runs, run_id)
    assert runs.unwanted == [question.id]
    assert await ended(runs, run_id) == (RunStatus.DONE, {"go": True}, "")


async def test_best_effort_takes_what_is_there_when_its_time_is_over(runs):
    run_id = await runs.start_root(parallel(leaf("a"), leaf("b"), join={"best_effort_s": 0.5}))
    await runs.said(run_id, "root.branches[0]", "x")
    await until_due(runs, run_id)
    assert await ended(runs, run_id) == (RunStatus.DONE, {"a": "x", "b": None}, "")


async def test_a_wait_for_a_time_ends_when_it_comes(runs):
    run_id = await runs.start_root(steps({"type": "wait", "seconds": 0.05}, leaf("a")))
    assert runs.open == {}
    await until_due(runs, run_id)
    assert await runs.paths(run_id) == ["root.steps[1]"]


async def test_a_signal_is_taken_by_one_node_now_or_when_it_begins(runs):
    wait = {"type": "wait", "signal": "go"}
    run_id = await runs.start_root(steps({**wait, "id": "x"}, {**wait, "id": "y"}))
    assert await runs.store.workflows.tell(run_id, Said(signal="stop", payload="?"))
    await runs.advance(run_id)
    assert (await runs.at(run_id, "root.steps[0]")).status is NodeStatus.RUNNING
    assert await runs.store.workflows.tell(run_id, Said(signal="go", payload={"n": 1}, key="k"))
    assert not await runs.store.workflows.tell(run_id, Said(signal="go", payload={"n": 9}, key="k"))
    assert await runs.store.workflows.tell(run_id, Said(signal="go", payload={"n": 2}))
    await runs.advance(run_id)
    assert await ended(runs, run_id) == (RunStatus.DONE, {"n": 2}, "")
    assert (await runs.at(run_id, "root.steps[0]")).value == {"n": 1}
    with pytest.raises(RunNotFound):
        await runs.store.workflows.tell(RunId("no-run"), Said(signal="go", payload=None))


async def test_runs_are_listed_and_their_leaves_are_no_sub_agents_of_a_round(runs):
    first = await runs.start_root(foreach(150, leaf("a")))
    assert len(runs.open) == 150
    second = await runs.start_root(leaf("b"))
    listed = await runs.store.workflows.list()
    assert [run.id for run in listed] == [second, first]
    assert await runs.store.workflows.list(status=RunStatus.DONE) == []
    assert (await runs.store.workflows.spec(first))["root"]["type"] == "foreach"


async def test_an_attempt_that_begins_late_is_not_ended_by_the_time_that_it_waited_for(runs):
    again = leaf("a", retry={"attempts": 2, "backoff_s": 0.05})
    run_id = await runs.start_root(parallel(again, leaf("b")))
    await runs.said(run_id, "root.branches[0]", None)
    await until_due(runs, run_id)
    await runs.said(run_id, "root.branches[1]", "b")
    assert (await runs.at(run_id, "root.branches[0]")).status is NodeStatus.RUNNING
    await runs.said(run_id, "root.branches[0]", "a")
    assert await ended(runs, run_id) == (RunStatus.DONE, {"a": "a", "b": "b"}, "")


async def test_what_runs_in_the_stead_of_a_node_has_time_of_its_own(runs):
    slow = leaf("a", timeout_s=0.05, on_error={"fallback": leaf("x")})
    sleepy = {"type": "wait", "seconds": 60.0, "timeout_s": 0.05, "on_error": {"fallback": leaf("y")}}
    run_id = await runs.start_root(parallel(slow, {**sleepy, "id": "b"}))
    instead = [f"root.branches[{number}].on_error.fallback" for number in (0, 1)]
    while await runs.paths(run_id) != instead:
        await asyncio.sleep(0.01)
        await runs.advance(run_id)
    for path in ("root.branches[0]", "root.branches[1]"):
        node = await runs.at(run_id, path)
        assert (node.status, node.wakes_at, node.deadline_at) == (NodeStatus.OPEN, None, None)
    for path in await runs.paths(run_id):
        await runs.said(run_id, path, "instead")
    assert await ended(runs, run_id) == (RunStatus.DONE, {"a": "instead", "b": "instead"}, "")


async def test_a_loser_that_is_late_does_not_end_what_runs_in_the_stead_of_all(runs):
    last = {"fallback": leaf("x")}
    run_id = await runs.start_root(parallel(leaf("a"), leaf("b"), losers="finish", on_error=last))
    await runs.said(run_id, "root.branches[0]", None)
    await runs.said(run_id, "root.branches[1]", "late")
    assert (await ended(runs, run_id))[0] is RunStatus.OPEN
    await runs.said(run_id, "root.on_error.fallback", "instead")
    assert await ended(runs, run_id) == (RunStatus.DONE, "instead", "")


async def test_a_loser_that_may_finish_waits_for_its_time_when_the_run_has_ended(runs):
    slow = {"type": "wait", "id": "b", "seconds": 0.05}
    run_id = await runs.start_root(parallel(leaf("a"), slow, join="any", losers="finish"))
    await runs.said(run_id, "root.branches[0]", "first")
    while (await runs.at(run_id, "root.branches[1]")).status is not NodeStatus.DONE:
        await asyncio.sleep(0.01)
        await runs.advance(run_id)
    assert await runs.store.workflow_recovery.due(10) == []
