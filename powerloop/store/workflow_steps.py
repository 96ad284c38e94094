"""A step of a run: what has happened is loaded, what follows decided, and that written. One transaction."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Null, insert, select, update

from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import NodeId, RunId, SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.planning import (
    Landed,
    Loaded,
    NodeWrite,
    Plan,
    Planner,
    RunEnd,
    Snapshot,
    report_of,
)
from powerloop.kernel.ports.workflows import Advanced
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import SessionStatus
from powerloop.kernel.workflows import NodeStatus, RunStatus
from powerloop.store.columns import now
from powerloop.store.database import Row, Run
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import checked_send
from powerloop.store.portable.acceptance import accept_in
from powerloop.store.portable.locking import lock_session
from powerloop.store.portable.writing import end_calls
from powerloop.store.resolving import wake
from powerloop.store.schema import workflow_items, workflow_nodes, workflow_runs
from powerloop.store.workflow_leaves import start_leaves
from powerloop.store.workflow_loading import BATCH, HEAD, chain, happened, load, slim_send_of
from powerloop.store.workflow_rows import new_node_row, node_row, resume_of, resume_row

_nodes = workflow_nodes.c
_FINAL: Final = [status.value for status in NodeStatus if status.is_final]


async def step(run: Run, run_id: RunId, planner: Planner) -> Advanced:
    """As `Workflows.advance`, the session of the run being locked."""
    head = (await run(HEAD.where(workflow_runs.c.id == run_id)))[0]
    send, is_open = slim_send_of(head), head["run_status"] == RunStatus.OPEN.value
    if head["run_paused_at"] is not None or (is_open and not _goes_on(send)):
        return Advanced()
    events = await happened(run, head, is_open=is_open)
    resume = resume_of(head["run_resume"]) if is_open else None
    if not events and not (is_open and (resume or not head["has_begun"])):
        return Advanced()
    nodes = await chain(run, {event.node_id for event in events}) if events else {}
    snapshot = Snapshot(run_id=run_id, send=send, events=events, nodes=nodes, resume=resume)
    plan = await _decided(run, planner, snapshot)
    landed: set[str] = {event.node_id for event in events if isinstance(event, Landed)}
    unwanted = await _write(run, plan, landed)
    ready: list[Ready] = list(await start_leaves(run, plan.leaves))
    if resume is not None:
        its = update(workflow_runs).where(workflow_runs.c.id == run_id)
        await run(its.values(resume=resume_row(None)))
    if plan.end is not None and is_open:
        ready += await _end(run, head, plan.end)
    listens = any(write.node.signal and write.is_new for write in plan.writes)
    return Advanced(ready=tuple(ready), unwanted=tuple(unwanted), again=len(landed) >= BATCH or listens)


def _goes_on(send: Send) -> bool:
    """Whether the send waits for the run, and nobody has asked for its end."""
    return send.status is SendStatus.WAITING and send.cancel is None


async def _decided(run: Run, planner: Planner, snapshot: Snapshot) -> Plan:
    loaded = Loaded()
    while True:
        decision = planner.plan(snapshot, loaded)
        if isinstance(decision, Plan):
            return decision
        await load(run, snapshot.run_id, decision, loaded)


async def _write(run: Run, plan: Plan, landed: Collection[str]) -> list[SendId]:
    """Write the nodes; the sends of leaves that nobody waits for any more."""
    unwanted: list[SendId] = []
    if plan.cut_off:
        unwanted += await _cancel_below(run, plan.cut_off)
    if plan.superseded:
        unwanted += await _supersede(run, plan.superseded)
    for write in plan.writes:
        node = write.node
        if write.is_new:
            continue
        await run(update(workflow_nodes).where(_nodes.id == node.id).values(node_row(write)))
        if node.send_id and (node.status.is_final or node.fell_back):
            unwanted.append(node.send_id)
    await _insert_nodes(run, [write for write in plan.writes if write.is_new])
    items = [
        {"node_id": node_id, "place": place, "value": cleaned(item)}
        for node_id, several in plan.items.items()
        for place, item in enumerate(several)
    ]
    if items:
        await run(insert(workflow_items), items)
    # The sends of those that have landed have ended.
    return [send_id for send_id in dict.fromkeys(unwanted) if send_id not in landed]


async def _insert_nodes(run: Run, writes: Sequence[NodeWrite]) -> None:
    """Write new nodes: those that are alike in one statement, which is most of them."""
    alike: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    timed: list[dict[str, Any]] = []
    for write in writes:
        row = new_node_row(write)
        if write.wakes_in is None and write.times_out_in is None and not write.node.status.is_final:
            plain = {name: value for name, value in row.items() if name not in _BY_CLOCK}
            given = {name: value for name, value in plain.items() if not isinstance(value, Null)}
            alike[tuple(given)].append(given)
        else:
            timed.append(row)
    for rows in alike.values():
        await run(_NEW_NODE, rows)
    for row in timed:
        await run(insert(workflow_nodes).values(row))


_BY_CLOCK: Final = ("created_at", "ended_at")
_NEW_NODE: Final = insert(workflow_nodes).values(created_at=now())


async def _cancel_below(run: Run, node_ids: Collection[NodeId]) -> list[SendId]:
    cancelled = {"status": NodeStatus.CANCELLED.value, "ended_at": now()}
    still_open = update(workflow_nodes).where(_nodes.id.in_(_below(node_ids)), _nodes.status.not_in(_FINAL))
    rows = await run(still_open.values(cancelled).returning(_nodes.send_id))
    return [SendId(row["send_id"]) for row in rows if row["send_id"]]


async def _supersede(run: Run, node_ids: Collection[NodeId]) -> list[SendId]:
    unwanted = await _cancel_below(run, node_ids)
    tree = _nodes.id.in_(_below(node_ids)) | _nodes.id.in_(node_ids)
    await run(update(workflow_nodes).where(tree, _nodes.current).values(current=False))
    return unwanted


def _below(node_ids: Collection[NodeId]) -> Any:  # noqa: ANN401 - a select of ids
    """The ids of all below these."""
    below = select(_nodes.id).where(_nodes.parent_id.in_(node_ids)).cte("below", recursive=True)
    deeper = select(_nodes.id).join(below, _nodes.parent_id == below.c.id)
    return select(below.union_all(deeper).c.id)


async def _end(run: Run, head: Row, end: RunEnd) -> list[Send]:
    """End the run, and the call that waits for it, and tell its owner; what is to be published then."""
    ended = {"status": end.status.value, "code": clean_text(end.code), "message": clean_text(end.message)}
    its = update(workflow_runs).where(workflow_runs.c.id == head["run_id"])
    await run(its.values(value=cleaned(end.value), ended_at=now(), **ended))
    await end_calls(run, head["id"], (end.outcome(head["run_call_id"]),))
    return [*await wake(run, [head["id"]]), *await _tell_owner(run, head, end)]


async def _tell_owner(run: Run, head: Row, end: RunEnd) -> list[Send]:
    """Accept the send that tells the session which the run belongs to of its end, unless that is closed."""
    owner = await lock_session(run, head["run_owner_id"]) if head["run_owner_id"] else None
    if owner is None or owner.status is SessionStatus.CLOSED:
        return []
    report = report_of(head["run_id"], head["run_name"], end, owner.id, slim_send_of(head))
    accepted = await accept_in(run, owner, checked_send(report))
    return [accepted.send] if accepted.is_head else []
