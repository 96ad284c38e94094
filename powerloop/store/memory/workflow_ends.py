"""What the beginnings and ends of sends do to runs of workflows, in memory."""

from dataclasses import replace

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import SendId
from powerloop.kernel.planning import RunEnd
from powerloop.kernel.sends import Send
from powerloop.kernel.workflows import (
    LeafPlace,
    NewRun,
    NodeStatus,
    Resume,
    RunAdvance,
    RunStatus,
    WorkflowRun,
)
from powerloop.store.encoding import cleaned
from powerloop.store.memory.state import State
from powerloop.store.workflow_ends import ALIVE_NOTE


def begin_run(state: State, send: Send, new: NewRun) -> RunAdvance | None:
    """Write the run that a call waits for, or have one go on with that call; `None`: it is alive."""
    known = state.runs.get(new.run_id)
    if new.spec is not None:
        state.specs[new.run_id] = cleaned(new.spec), cleaned(new.input)
        known = WorkflowRun(
            id=new.run_id,
            send_id=send.id,
            call_id=new.call_id,
            session_id=send.session_id,
            owner_id=new.owner_id,
            name=str(new.spec.get("name", "")),
            status=RunStatus.OPEN,
            value=None,
            code="",
            message="",
            created_at=state.clock.now(),
            paused_at=None,
            ended_at=None,
        )
    elif known is None or known.status in (RunStatus.OPEN, RunStatus.DONE):
        note = ToolOutcome(call_id=new.call_id, status=CallStatus.FAILED, text=ALIVE_NOTE)
        state.end_calls(send.id, (note,))
        return None
    else:
        state.resumes[new.run_id] = new.resume or Resume()
        known = replace(known, status=RunStatus.OPEN, value=None, code="", message="", ended_at=None)
    driven = replace(known, send_id=send.id, call_id=new.call_id, session_id=send.session_id)
    state.runs[new.run_id] = driven
    return RunAdvance(run_id=driven.id, name=driven.name, priority=send.priority)


def stop_runs(state: State, send_id: SendId, end: RunEnd) -> None:
    """End the runs of a send that ends without them."""
    now = state.clock.now()
    for run in list(state.runs.values()):
        if run.send_id != send_id or run.status is not RunStatus.OPEN:
            continue
        state.runs[run.id] = replace(run, status=end.status, code=end.code, message=end.message, ended_at=now)
        for node in list(state.nodes.values()):
            if node.run_id == run.id and not node.status.is_final:
                state.nodes[node.id] = replace(node, status=NodeStatus.CANCELLED, ended_at=now)


def land(state: State, child: Send, leaf: LeafPlace) -> RunAdvance | None:
    """Have the run take note of the end of a leaf's send; `None`: nobody waits for it any more."""
    node = state.nodes.get(leaf.node_id)
    if node is None or node.status is not NodeStatus.RUNNING:
        return None
    state.nodes[node.id] = replace(node, status=NodeStatus.LANDED)
    return RunAdvance(run_id=leaf.run_id, name=state.runs[leaf.run_id].name, priority=child.priority)
