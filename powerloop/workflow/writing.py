"""Writing: instances as the journal keeps them. Without I/O."""

from datetime import datetime, timedelta

from powerloop.kernel.ids import NodeId, SendId
from powerloop.kernel.planning import NodeWrite, Snapshot
from powerloop.kernel.workflows import Node as Row
from powerloop.kernel.workflows import NodeStatus
from powerloop.workflow.beginning import WaitWork
from powerloop.workflow.instances import Instance
from powerloop.workflow.joining import Tally
from powerloop.workflow.past import Past, opened_row
from powerloop.workflow.policies import BestEffort

_NOTHING = Tally(total=0, begun=0)


def write_of(snapshot: Snapshot, one: Instance, past: Past) -> NodeWrite:
    """An instance that has changed, as it is to be written."""
    row, deadline_at = past.row(one), _deadline(snapshot, one, past)
    is_timed = one.outcome is None and deadline_at is None and not one.fell_back
    timeout_s = one.node.timeout_s if is_timed else None
    return NodeWrite(
        node=_node(snapshot, one, past, row, deadline_at),
        is_new=one.is_new,
        wakes_in=_wakes_in(one),
        times_out_in=None if timeout_s is None else timedelta(seconds=timeout_s),
    )


def _node(
    snapshot: Snapshot, one: Instance, past: Past, row: Row | None, deadline_at: datetime | None
) -> Row:
    outcome, tally = one.outcome, one.tally or _NOTHING
    return Row(
        id=one.id,
        run_id=snapshot.run_id,
        parent_id=one.parent.id if one.parent else None,
        index=one.index,
        path=one.path,
        type=one.node.type,
        name=one.node.id,
        frame_id=one.frame.id,
        attempt=one.attempt,
        status=_status(one, row),
        current=one.is_current,
        opened=opened_row(one.opened) if one.opened else None,
        total=tally.total,
        begun=tally.begun,
        ended=tally.ended,
        done=tally.done,
        bad=tally.bad,
        fell_back=one.fell_back,
        value=outcome.value if outcome and one.value_from is None else None,
        value_id=_holder(one, past),
        code=outcome.code if outcome else "",
        message=outcome.message if outcome else "",
        tolerated=outcome.tolerated if outcome else False,
        send_id=_send_id(one, row),
        signal=_signal(one, row),
        wakes_at=_wakes_at(one, row),
        deadline_at=deadline_at,
    )


def _deadline(snapshot: Snapshot, one: Instance, past: Past) -> datetime | None:
    """When its time is over, if that is known by now: what goes on after an end has all its time anew, and
    what runs in its stead that of its own node."""
    if snapshot.resume is not None or one.fell_back:
        return None
    row = past.row(one) or (past.row(one.before) if one.before else None)
    return row.deadline_at if row else None


def _signal(one: Instance, row: Row | None) -> str | None:
    if isinstance(one.work, WaitWork):
        return one.work.signal
    return row.signal if row else None


def _wakes_at(one: Instance, row: Row | None) -> datetime | None:
    """Until when it waits, where that is an instant."""
    if isinstance(one.work, WaitWork) and one.work.until is not None:
        return one.work.until
    return row.wakes_at if row and _wakes_in(one) is None and _still_waits(one) else None


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
