"""The planner: what follows in a run, from rows of the journal to rows of the journal. Without I/O."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, assert_never

from powerloop.kernel.ids import RunId
from powerloop.kernel.planning import (
    Landed,
    Loaded,
    Need,
    NodeEvent,
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
from powerloop.kernel.workflows import LeafPlace, RunStatus
from powerloop.workflow.beginning import AgentWork
from powerloop.workflow.instances import FALLBACK, Instance, root_of
from powerloop.workflow.landing import outcome_of
from powerloop.workflow.leaves import leaf_of
from powerloop.workflow.outcomes import Ended, Outcome
from powerloop.workflow.past import LoadedSource, NotLoaded, Past
from powerloop.workflow.policies import Isolation
from powerloop.workflow.reopening import reopen
from powerloop.workflow.spec import ForeachNode, ParallelNode, WorkflowSpec
from powerloop.workflow.stepping import Stepping
from powerloop.workflow.writing import write_of

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
        writes=tuple(write_of(snapshot, one, past) for one in touched),
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
