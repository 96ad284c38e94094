"""The planner: what follows in a run, from rows of the journal to rows of the journal. Without I/O."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, assert_never

from powerloop.kernel.ids import NodeId, RunId, SendId
from powerloop.kernel.planning import (
    Landed,
    Loaded,
    Need,
    NodeEvent,
    NodeWrite,
    PassedOver,
    Plan,
    RunEnd,
    Signalled,
    Snapshot,
    SpecNeed,
    TimedOut,
    TreeNeed,
    Woken,
)
from powerloop.kernel.suspension import NewChild
from powerloop.kernel.workflows import LeafPlace, NodeStatus, RunStatus
from powerloop.kernel.workflows import Node as Row
from powerloop.workflow.beginning import AgentWork, WaitWork
from powerloop.workflow.instances import FALLBACK, Instance, root_of
from powerloop.workflow.landing import outcome_of
from powerloop.workflow.leaves import leaf_of
from powerloop.workflow.outcomes import Ended, Outcome
from powerloop.workflow.past import LoadedSource, NotLoaded, Past, opened_row
from powerloop.workflow.policies import BestEffort, Isolation
from powerloop.workflow.reopening import reopen
from powerloop.workflow.spec import ForeachNode, ParallelNode, WorkflowSpec
from powerloop.workflow.stepping import Stepping

#: Workflows that are kept parsed.
_KEPT: Final = 64


class WorkflowPlanner:
    """The `Planner` of workflows. Safe to use for any number of runs at once, on one event loop."""

    def __init__(self) -> None:
        self._specs: OrderedDict[RunId, tuple[WorkflowSpec, Any]] = OrderedDict()

    def plan(self, snapshot: Snapshot, loaded: Loaded) -> Plan | Need:
        try:
            return self._plan(snapshot, loaded)
        except NotLoaded as missing:
            return missing.need

    def _plan(self, snapshot: Snapshot, loaded: Loaded) -> Plan:
        spec, given = self._spec(snapshot.run_id, loaded)
        nodes = snapshot.nodes
        if snapshot.resume is not None:
            if loaded.tree is None:
                raise NotLoaded(TreeNeed())
            nodes = {row.id: row for row in loaded.tree}
        past = Past(snapshot.run_id, spec, given, nodes, LoadedSource(loaded))
        stepping = Stepping(snapshot.run_id, patient=True)
        if not nodes:
            stepping.begin(root_of(snapshot.run_id, spec.root, given))
        elif snapshot.resume is not None:
            reopen(stepping, past.instances(), snapshot.resume)
        # All of them are known before anything happens: the end of one may cancel others.
        happened = [(past.instance(event.node_id), event) for event in snapshot.events]
        for instance, event in happened:
            _happen(stepping, instance, event)
        return _written(snapshot, stepping, past, spec.isolation)

    def _spec(self, run_id: RunId, loaded: Loaded) -> tuple[WorkflowSpec, Any]:
        if run_id not in self._specs:
            if loaded.spec is None:
                raise NotLoaded(SpecNeed())
            # It was checked when the run was made; agents and tools may have gone since.
            spec = WorkflowSpec.model_validate(loaded.spec)
            self._specs[run_id] = spec, spec.input if loaded.input is None else loaded.input
            if len(self._specs) > _KEPT:
                self._specs.popitem(last=False)
        self._specs.move_to_end(run_id)
        return self._specs[run_id]


def _happen(stepping: Stepping, instance: Instance, event: NodeEvent) -> None:
    match event:
        case Landed(send=send):
            stepping.ended(instance, outcome_of(instance.node, send))
        case Woken():
            stepping.woken(instance)
        case TimedOut():
            stepping.timed_out(instance)
        case Signalled(payload=payload):
            stepping.ended(instance, Outcome.done(payload))
        case PassedOver(value=value):
            stepping.end(instance, Outcome.done(value))
        case unreachable:
            assert_never(unreachable)


def _written(snapshot: Snapshot, stepping: Stepping, past: Past, isolation: Isolation) -> Plan:
    touched = list(stepping.touched.values())
    return Plan(
        cut_off=tuple(one.id for one in stepping.cut_off if not one.is_new),
        superseded=tuple(one.id for one in touched if one.superseded and not one.is_new),
        writes=tuple(_write(snapshot, one, past) for one in touched),
        items={one.id: one.opened.items for one in touched if one.opened and one.opened.items},
        leaves=tuple(_leaves(snapshot, touched, isolation)),
        end=next((_end(one) for one in touched if one.parent is None and not one.superseded), None),
    )


def _end(root: Instance) -> RunEnd | None:
    outcome = root.outcome
    if outcome is None:
        return None
    if outcome.is_well:
        return RunEnd(status=RunStatus.DONE, value=outcome.value)
    if outcome.status is Ended.CANCELLED:
        return RunEnd(status=RunStatus.CANCELLED)
    return RunEnd(status=RunStatus.FAILED, code=outcome.code, message=outcome.message)


def _leaves(snapshot: Snapshot, touched: list[Instance], isolation: Isolation) -> Iterator[NewChild]:
    for one in touched:
        if one.work is not None and one.outcome is None:
            work = one.work
            if isinstance(work, AgentWork) and work.isolation is None:
                work = replace(work, isolation=isolation)
            place = _place(snapshot.run_id, one)
            new = leaf_of(snapshot.send, place, work, path=one.path, attempt=one.attempt)
            if new is not None:
                yield new


def _place(run_id: RunId, leaf: Instance) -> LeafPlace:
    """Where the leaf stands, and the nearest fan-out that it is in."""
    member: Instance | None = leaf
    while member is not None and member.parent is not None:
        fan_out = member.parent
        if isinstance(fan_out.node, ParallelNode | ForeachNode) and member.index != FALLBACK:
            assert fan_out.tally is not None
            return LeafPlace(
                run_id=run_id,
                node_id=leaf.id,
                group_id=fan_out.id,
                group_size=fan_out.tally.total,
                group_index=member.index,
            )
        member = fan_out
    return LeafPlace(run_id=run_id, node_id=leaf.id)


def _write(snapshot: Snapshot, one: Instance, past: Past) -> NodeWrite:
    row, node, outcome, tally = past.row(one), one.node, one.outcome, one.tally
    before = past.row(one.before) if one.before else None
    deadline_at = row.deadline_at if row else before.deadline_at if before else None
    if snapshot.resume is not None:
        deadline_at = None
    is_timed = outcome is None and deadline_at is None and not one.fell_back
    timed = is_timed and node.timeout_s is not None
    wakes_in = _wakes_in(one)
    until = one.work.until if isinstance(one.work, WaitWork) else None
    written = Row(
        id=one.id,
        run_id=snapshot.run_id,
        parent_id=one.parent.id if one.parent else None,
        index=one.index,
        path=one.path,
        type=node.type,
        name=node.id,
        frame_id=one.frame.id,
        attempt=one.attempt,
        status=_status(one, row),
        current=one.is_current,
        opened=opened_row(one.opened) if one.opened else None,
        total=tally.total if tally else 0,
        begun=tally.begun if tally else 0,
        ended=tally.ended if tally else 0,
        done=tally.done if tally else 0,
        bad=tally.bad if tally else 0,
        fell_back=one.fell_back,
        value=outcome.value if outcome and one.value_from is None else None,
        value_id=_holder(one, past),
        code=outcome.code if outcome else "",
        message=outcome.message if outcome else "",
        tolerated=outcome.tolerated if outcome else False,
        send_id=_send_id(one, row),
        signal=one.work.signal if isinstance(one.work, WaitWork) else row.signal if row else None,
        wakes_at=until or (row.wakes_at if row and wakes_in is None and _still_waits(one) else None),
        # What runs in its stead has all the time that its own node gives it.
        deadline_at=None if one.fell_back else deadline_at,
    )
    span = timedelta(seconds=node.timeout_s) if timed and node.timeout_s else None
    return NodeWrite(node=written, is_new=one.is_new, wakes_in=wakes_in, times_out_in=span)


def _still_waits(one: Instance) -> bool:
    """Whether a time that it waited for before is still to come."""
    return one.outcome is None and not one.fell_back and not one.begun


def _wakes_in(one: Instance) -> timedelta | None:
    if one.outcome is not None:
        return None
    if one.delay_s and one.is_new:
        return timedelta(seconds=one.delay_s)
    if isinstance(one.work, WaitWork) and one.work.seconds is not None:
        return timedelta(seconds=one.work.seconds)
    join = getattr(one.node, "join", None)
    if isinstance(join, BestEffort) and one.opened and one.begun:
        return timedelta(seconds=join.best_effort_s)
    return None


def _status(one: Instance, row: Row | None) -> NodeStatus:
    if one.outcome is not None:
        return NodeStatus(one.outcome.status.value)
    if one.opened is not None or one.fell_back:
        return NodeStatus.OPEN
    if one.work is not None:
        return NodeStatus.RUNNING
    return NodeStatus.DELAYED if one.delay_s or row is None else row.status


def _send_id(one: Instance, row: Row | None) -> SendId | None:
    if one.work is not None:
        return SendId(one.id) if not isinstance(one.work, WaitWork) else None
    return row.send_id if row else None


def _holder(one: Instance, past: Past) -> NodeId | None:
    """The node that has the value of this one, where that is not itself."""
    held = one.value_from
    if held is None:
        return None
    while held.value_from is not None:
        held = held.value_from
    row = past.row(held)
    return row.value_id if row and row.value_id else held.id
