"""What the beginnings and ends of sends do to runs of workflows. The send's session is locked."""

from sqlalchemy import insert, literal, select, update

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.planning import RunEnd
from powerloop.kernel.sends import Lineage, Send
from powerloop.kernel.workflows import NewRun, NodeStatus, RunAdvance, RunStatus
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.encoding import cleaned
from powerloop.store.portable.writing import end_calls
from powerloop.store.schema import workflow_nodes, workflow_runs
from powerloop.store.workflow_rows import resume_row

ALIVE_NOTE = "The run has not ended, or is done, or there is none: nothing was resumed."

_FINAL = [status.value for status in NodeStatus if status.is_final]
#: What a resume goes on with.
_MENDED = (RunStatus.FAILED.value, RunStatus.CANCELLED.value)
_OPEN = workflow_runs.c.status == literal(RunStatus.OPEN.value, literal_execute=True)


async def begin_run(run: Run, send: Send, new: NewRun) -> RunAdvance | None:
    """Write the run that a call waits for, or have one go on with that call; `None`: it is alive."""
    driven = {"send_id": send.id, "call_id": clean_text(new.call_id), "session_id": send.session_id}
    if new.spec is not None:
        row = insert(workflow_runs).values(
            id=new.run_id,
            name=str(new.spec.get("name", "")),
            spec=cleaned(new.spec),
            input=cleaned(new.input),
            status=RunStatus.OPEN.value,
            code="",
            message="",
            priority=send.priority,
            owner_id=new.owner_id,
            created_at=now(),
            **driven,
        )
        await run(row)
        return RunAdvance(run_id=new.run_id, name=str(new.spec.get("name", "")), priority=send.priority)
    ended = update(workflow_runs).where(workflow_runs.c.id == new.run_id, workflow_runs.c.status.in_(_MENDED))
    again = {"status": RunStatus.OPEN.value, "code": "", "message": "", "ended_at": None, "value": None}
    change = ended.values(**driven, **again, resume=resume_row(new.resume))
    rows = await run(change.returning(workflow_runs.c.name))
    if not rows:
        note = ToolOutcome(call_id=new.call_id, status=CallStatus.FAILED, text=ALIVE_NOTE)
        await end_calls(run, send.id, (note,))
        return None
    return RunAdvance(run_id=new.run_id, name=rows[0]["name"], priority=send.priority)


async def stop_runs(run: Run, send_id: SendId, end: RunEnd) -> None:
    """End the runs of a send that ends without them. Their leaves are found as those that nobody wants."""
    stopped = update(workflow_runs).where(workflow_runs.c.send_id == send_id, _OPEN)
    values = {
        "status": end.status.value,
        "ended_at": now(),
        "code": end.code,
        "message": clean_text(end.message),
    }
    for row in await run(stopped.values(values).returning(workflow_runs.c.id)):
        of_run = (workflow_nodes.c.run_id == row["id"], workflow_nodes.c.status.not_in(_FINAL))
        cancelled = {"status": NodeStatus.CANCELLED.value, "ended_at": now()}
        await run(update(workflow_nodes).where(*of_run).values(cancelled))


async def land(run: Run, child: Send, lineage: Lineage) -> RunAdvance | None:
    """Have the run take note of the end of a leaf's send; `None`: nobody waits for it any more."""
    leaf = lineage.leaf
    assert leaf is not None
    running = update(workflow_nodes).where(
        workflow_nodes.c.id == leaf.node_id, workflow_nodes.c.status == NodeStatus.RUNNING.value
    )
    if not await run(running.values(status=NodeStatus.LANDED.value).returning(workflow_nodes.c.id)):
        return None
    rows = await run(select(workflow_runs.c.name).where(workflow_runs.c.id == leaf.run_id))
    return RunAdvance(run_id=leaf.run_id, name=rows[0]["name"] if rows else "", priority=child.priority)
