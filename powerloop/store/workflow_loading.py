"""What a step of a run is decided from: loaded under the lock of the run's session."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, assert_never

from sqlalchemy import ColumnElement, Select, and_, exists, literal, or_, select, update

from powerloop.kernel.ids import NodeId, RunId
from powerloop.kernel.planning import (
    ItemNeed,
    Landed,
    Loaded,
    NamedNeed,
    Need,
    NodeEvent,
    PassedOver,
    Signalled,
    SpecNeed,
    TimedOut,
    TreeNeed,
    ValuesNeed,
    Woken,
)
from powerloop.kernel.sends import Send
from powerloop.kernel.workflows import Node, NodeStatus
from powerloop.store.columns import now
from powerloop.store.database import Row, Run
from powerloop.store.lateness import ago
from powerloop.store.rows import send_of
from powerloop.store.schema import (
    sends,
    sessions,
    workflow_inbox,
    workflow_items,
    workflow_nodes,
    workflow_runs,
)
from powerloop.store.workflow_rows import NODE_COLUMNS, json_of, node_of

#: Ends that one step takes note of.
BATCH: Final = 200

_nodes = workflow_nodes.c
_UNDER_WAY: Final = _nodes.status.in_(
    [
        literal(status.value, literal_execute=True)
        for status in (NodeStatus.OPEN, NodeStatus.RUNNING, NodeStatus.DELAYED)
    ]
)
LANDED: Final = _nodes.status == literal(NodeStatus.LANDED.value, literal_execute=True)
WAKES: Final = and_(_UNDER_WAY, _nodes.wakes_at <= ago(timedelta(0)))
TIMED_OUT: Final = and_(_UNDER_WAY, _nodes.deadline_at <= ago(timedelta(0)))
LISTENS: Final = and_(
    _nodes.status == literal(NodeStatus.RUNNING.value, literal_execute=True), _nodes.signal.is_not(None)
)
#: Cancelled nodes came to nothing that a name could have.
_HAS_VALUE: Final = _nodes.status.in_([NodeStatus.DONE, NodeStatus.SKIPPED, NodeStatus.FAILED])


def _of_run(table: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:  # noqa: ANN401 - a table
    return exists().where(table.c.run_id == workflow_runs.c.id, *conditions).correlate(workflow_runs)


def _sends_without(*large: str) -> Select[Any]:
    """Sends as `slim_send_of` reads them: without columns that may be large, and are not asked for."""
    columns = (column for column in sends.c if column.name not in large)
    return select(*columns, sessions.c.agent, sessions.c.spec).join(sessions)


def slim_send_of(row: Row) -> Send:
    """The send of a row that lacks its content, or its output."""
    return send_of({"content": "[]", "output": "[]", **row})


#: A run, what it is at, and the send that drives it. The input of that send has the whole workflow in it.
HEAD: Final = (
    _sends_without("content", "output")
    .add_columns(
        workflow_runs.c.id.label("run_id"),
        workflow_runs.c.call_id.label("run_call_id"),
        workflow_runs.c.status.label("run_status"),
        workflow_runs.c.paused_at.label("run_paused_at"),
        workflow_runs.c.resume.label("run_resume"),
        workflow_runs.c.owner_id.label("run_owner_id"),
        workflow_runs.c.name.label("run_name"),
        _of_run(workflow_nodes).label("has_begun"),
        or_(_of_run(workflow_nodes, WAKES), _of_run(workflow_nodes, TIMED_OUT)).label("is_due"),
        _of_run(workflow_inbox, workflow_inbox.c.taken_at.is_(None)).label("is_told"),
    )
    # The send of a run is one row; its own table is joined last.
    .join(workflow_runs, workflow_runs.c.send_id == sends.c.id)
)


_ENDED: Final = _sends_without("content")


async def happened(run: Run, head: Row, *, is_open: bool) -> list[NodeEvent]:
    """What has happened to nodes of the run. What was said to it, and is taken here, is taken for good."""
    run_id = RunId(head["run_id"])
    events: list[NodeEvent] = list(await _landed(run, run_id))
    if head["is_due"]:
        events += await _due(run, run_id)
    if not (is_open and head["is_told"]):
        return events
    untaken = workflow_inbox.c.run_id == run_id, workflow_inbox.c.taken_at.is_(None)
    said = await run(select(workflow_inbox).where(*untaken).order_by(workflow_inbox.c.id))
    return events + await _taken(run, run_id, said)


async def _due(run: Run, run_id: RunId) -> Sequence[Woken | TimedOut]:
    due = select(_nodes.id, literal(value=True).label("wakes")).where(_nodes.run_id == run_id, WAKES)
    late = select(_nodes.id, literal(value=False)).where(_nodes.run_id == run_id, TIMED_OUT)
    return [
        Woken(node_id=row["id"]) if row["wakes"] else TimedOut(node_id=row["id"])
        for row in await run(due.union_all(late))
    ]


async def chain(run: Run, node_ids: Collection[NodeId]) -> Mapping[NodeId, Node]:
    """The nodes and all that they are in, without their values."""
    first = select(_nodes.id, _nodes.parent_id).where(_nodes.id.in_(node_ids))
    up = first.cte("up", recursive=True)
    above = select(_nodes.id, _nodes.parent_id).join(up, _nodes.id == up.c.parent_id)
    up = up.union(above)
    rows = await run(select(*NODE_COLUMNS).where(_nodes.id.in_(select(up.c.id))))
    return {row["id"]: node_of(row) for row in rows}


async def load(run: Run, run_id: RunId, need: Need, loaded: Loaded) -> None:
    """Load what a decision turned out to need."""
    match need:
        case SpecNeed():
            its = workflow_runs.c.id == run_id
            rows = await run(select(workflow_runs.c.spec, workflow_runs.c.input).where(its))
            loaded.spec, loaded.input = json_of(rows[0]["spec"]), json_of(rows[0]["input"])
        case NamedNeed(frames=frames, name=name):
            await _load_name(run, frames, name, loaded)
        case ItemNeed(node_id=node_id, index=index):
            one = (workflow_items.c.node_id == node_id, workflow_items.c.place == index)
            rows = await run(select(workflow_items.c.value).where(*one))
            loaded.items[node_id, index] = json_of(rows[0]["value"])
        case ValuesNeed(node_id=node_id):
            below = (_nodes.parent_id == node_id, _nodes.current, _nodes.place >= 0)
            rows = await run(select(_nodes.place, _nodes.value, _nodes.value_id).where(*below, _HAS_VALUE))
            values = await _values(run, rows)
            loaded.values[node_id] = {row["place"]: value for row, value in zip(rows, values, strict=True)}
        case TreeNeed():
            current = select(*NODE_COLUMNS).where(_nodes.run_id == run_id, _nodes.current)
            loaded.tree = [node_of(row) for row in await run(current)]
        case unreachable:
            assert_never(unreachable)


async def _landed(run: Run, run_id: RunId) -> Sequence[Landed]:
    # The send of a leaf goes by the id of its node.
    ended = _ENDED.join(workflow_nodes, _nodes.id == sends.c.id).where(_nodes.run_id == run_id, LANDED)
    rows = await run(ended.order_by(sends.c.ended_at, sends.c.id).limit(BATCH))
    return [Landed(node_id=row["id"], send=slim_send_of(row)) for row in rows]


async def _taken(run: Run, run_id: RunId, said: Sequence[Row]) -> list[NodeEvent]:
    """What of it a node waits for, each node at most one thing; and the nodes that are passed over."""
    listening = await run(
        select(_nodes.id, _nodes.signal)
        .where(_nodes.run_id == run_id, LISTENS)
        .order_by(_nodes.created_at, _nodes.id)
    )
    free = [(row["id"], row["signal"]) for row in listening]
    events: list[NodeEvent] = []
    taken = []
    for row in said:
        payload = json_of(row["payload"])
        if row["path"] is not None:
            its = (_nodes.run_id == run_id, _nodes.path == row["path"], _nodes.current, _UNDER_WAY)
            events += [
                PassedOver(node_id=one["id"], value=payload)
                for one in await run(select(_nodes.id).where(*its))
            ]
            taken.append(row["id"])
        elif listener := next((one for one in free if one[1] == row["signal"]), None):
            free.remove(listener)
            events.append(Signalled(node_id=listener[0], payload=payload))
            taken.append(row["id"])
    if taken:
        await run(update(workflow_inbox).where(workflow_inbox.c.id.in_(taken)).values(taken_at=now()))
    return events


async def _load_name(run: Run, frames: tuple[NodeId, ...], name: str, loaded: Loaded) -> None:
    its = (_nodes.frame_id.in_(frames), _nodes.name == name, _nodes.current, _HAS_VALUE)
    rows = await run(select(_nodes.frame_id, _nodes.value, _nodes.value_id).where(*its))
    key = (frames[0], name)
    if not rows:
        loaded.nameless.add(key)
        return
    nearest = min(rows, key=lambda row: frames.index(row["frame_id"]))
    loaded.named[key] = (await _values(run, [nearest]))[0]


async def _values(run: Run, rows: Sequence[Row]) -> list[Any]:
    """The values of nodes, wherever they stand."""
    held = {row["value_id"] for row in rows if row["value_id"]}
    found: dict[str, Any] = {}
    if held:
        holders = await run(select(_nodes.id, _nodes.value).where(_nodes.id.in_(held)))
        found = {row["id"]: json_of(row["value"]) for row in holders}
    return [found[row["value_id"]] if row["value_id"] else json_of(row["value"]) for row in rows]
