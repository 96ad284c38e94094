"""Runs of workflows in every store: pauses, ends from outside, and going on after an end."""

import pytest

from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.ports.workflows import Said
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.workflows import NewRun, NodeStatus, Resume, RunStatus
from tests.conformance.store.running import Runs, ended, foreach, leaf, parallel, steps


@pytest.fixture
def runs(desk) -> Runs:
    return Runs(desk)


async def test_an_open_node_is_passed_over_with_a_value(runs):
    run_id = await runs.start_root(steps(parallel(leaf("a"), leaf("b")), leaf("c", input="{{p}}")))
    await runs.store.workflows.tell(run_id, Said(path="root.steps[0]", payload="nothing"))
    await runs.advance(run_id)
    assert len(runs.unwanted) == 2
    (last,) = runs.open.values()
    assert last.content[0].text == "nothing"


async def test_a_run_that_is_paused_goes_no_further_until_it_is_resumed(runs):
    run_id = await runs.start_root(steps(parallel(leaf("a"), leaf("b")), leaf("c")))
    first, second = runs.open.values()
    claim = await runs.desk.claimed(first)
    assert (await runs.store.workflows.pause(run_id)).paused_at is not None
    assert await runs.store.journal.claim(second, claim.send.owner) is None
    await runs.store.journal.finish(claim.fence, runs.desk.completed("x"), claim.send.lineage)
    await runs.advance(run_id)
    assert (await runs.at(run_id, "root.steps[0]")).ended == 0
    assert await runs.store.workflow_recovery.due(10) == []
    continued = await runs.store.workflows.resume(run_id)
    assert continued.run.paused_at is None
    assert [send.id for send in continued.ready] == [second.id]
    await runs.advance(run_id)
    assert (await runs.at(run_id, "root.steps[0]")).ended == 1


async def test_the_end_of_its_send_ends_a_run_and_all_its_nodes(runs):
    run_id = await runs.start_root(steps(parallel(leaf("a"), {"type": "wait", "signal": "go"}), leaf("c")))
    await runs.store.sends.cancel(SendId(run_id), reason="enough", actor="me")
    claim = await runs.desk.claimed(await runs.store.sends.find(SendId(run_id)))
    await runs.store.journal.finish(
        claim.fence, Ending.cancelled(rounds=1, outcomes=(runs.desk.done("run"),)), None
    )
    assert await ended(runs, run_id) == (RunStatus.CANCELLED, None, "")
    nodes = await runs.store.workflows.nodes(run_id)
    assert {node.status for node in nodes} == {NodeStatus.CANCELLED}
    await runs.advance(run_id)
    assert {node.status for node in await runs.store.workflows.nodes(run_id)} == {NodeStatus.CANCELLED}
    assert len(await runs.store.workflow_recovery.disown(10)) == 1


async def test_a_run_that_has_failed_goes_on_where_it_did(runs):
    body = steps(leaf("a", input="{{i}}"), leaf("b", input="{{a}}"))
    run_id = await runs.start_root(steps(foreach(3, body, max_concurrency=3), leaf("c", input="{{f}}")))
    for number in range(3):
        await runs.said(run_id, f"root.steps[0].body#{number}.steps[0]", f"a{number}")
    await runs.said(run_id, "root.steps[0].body#1.steps[1]", "b1")
    await runs.said(run_id, "root.steps[0].body#0.steps[1]", None)
    assert (await ended(runs, run_id))[0] is RunStatus.FAILED
    await runs.resume(run_id)
    assert await runs.paths(run_id) == ["root.steps[0].body#0.steps[1]", "root.steps[0].body#2.steps[1]"]
    assert sorted(send.content[0].text for send in runs.open.values()) == ["a0", "a2"]
    await runs.said(run_id, "root.steps[0].body#0.steps[1]", "b0")
    await runs.said(run_id, "root.steps[0].body#2.steps[1]", "b2")
    (last,) = runs.open.values()
    assert last.content[0].text == '["b0", "b1", "b2"]'
    await runs.said(run_id, "root.steps[1]", "c")
    assert await ended(runs, run_id) == (RunStatus.DONE, "c", "")


async def test_one_node_alone_is_tried_again(runs):
    run_id = await runs.start_root(parallel(leaf("a"), leaf("b", on_error="continue"), leaf("c")))
    await runs.said(run_id, "root.branches[0]", "x")
    await runs.said(run_id, "root.branches[1]", None)
    await runs.said(run_id, "root.branches[2]", None)
    await runs.resume(run_id, Resume(path="root.branches[2]"))
    assert await runs.paths(run_id) == ["root.branches[2]"]
    await runs.said(run_id, "root.branches[2]", "z")
    assert await ended(runs, run_id) == (RunStatus.DONE, {"a": "x", "b": None, "c": "z"}, "")


async def test_a_node_that_has_failed_is_passed_over(runs):
    run_id = await runs.start_root(steps(leaf("a"), leaf("b", input="{{a}}")))
    await runs.said(run_id, "root.steps[0]", None)
    await runs.resume(run_id, Resume(path="root.steps[0]", skip=True, value=42))
    (last,) = runs.open.values()
    assert last.content[0].text == "42"


async def test_a_run_that_is_alive_is_not_resumed(runs):
    run_id = await runs.start_root(leaf("a"))
    session = await runs.desk.session(agent="powerloop.workflow")
    claim = await runs.desk.claimed((await runs.desk.accept(session)).send)
    await runs.desk.asked(claim, "again")
    new = NewRun(call_id=CallId("again"), run_id=run_id, spec=None, input=None)
    suspended = await runs.store.journal.suspend(claim.fence, Suspension(runs=(new,)))
    assert (suspended.waiting, suspended.started) == (False, ())
    assert (await runs.store.workflows.find(run_id)).send_id == run_id


async def test_members_that_never_began_begin_when_the_run_goes_on(runs):
    no_case = {"type": "branch", "on": "input", "cases": [{"eq": "no", "then": leaf("n")}]}
    run_id = await runs.start_root(parallel(no_case, leaf("a"), leaf("b")), "x")
    assert (await ended(runs, run_id))[2] == "workflow.no_case"
    node = await runs.at(run_id, "root")
    assert (node.total, node.begun, node.ended) == (3, 1, 1)
    await runs.resume(run_id, Resume(path="root.branches[0]", skip=True, value="skipped"))
    assert await runs.paths(run_id) == ["root.branches[1]", "root.branches[2]"]
    await runs.said(run_id, "root.branches[1]", "a")
    await runs.said(run_id, "root.branches[2]", "b")
    assert (await ended(runs, run_id))[1] == {"branch0": "skipped", "a": "a", "b": "b"}


async def test_those_that_were_cancelled_for_a_failure_go_on_with_the_one_that_failed(runs):
    run_id = await runs.start_root(foreach(3, leaf("a")))
    await runs.said(run_id, "root.body#1", None)
    await runs.resume(run_id, Resume(path="root.body#1"))
    assert await runs.paths(run_id) == ["root.body#0", "root.body#1", "root.body#2"]
    for number in range(3):
        await runs.said(run_id, f"root.body#{number}", str(number))
    assert await ended(runs, run_id) == (RunStatus.DONE, ["0", "1", "2"], "")
