"""Runs that nobody moves on, and leaves that nobody wants any more, found."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select

from powerloop.kernel.ids import RunId
from powerloop.kernel.queues import LEAF_QUEUE
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.workflows import UNWANTED, NodeStatus, RunAdvance, RunStatus
from powerloop.store.database import Database
from powerloop.store.disowning import disown
from powerloop.store.lateness import ago
from powerloop.store.readiness import is_in
from powerloop.store.schema import sends, sessions, workflow_inbox, workflow_nodes, workflow_runs
from powerloop.store.workflow_loading import LANDED, LISTENS, TIMED_OUT, WAKES

_runs, _nodes = workflow_runs.c, workflow_nodes.c
_OPEN: Final = _runs.status == literal(RunStatus.OPEN.value, literal_execute=True)
_HEARD: Final = and_(
    workflow_inbox.c.run_id == _nodes.run_id,
    workflow_inbox.c.signal == _nodes.signal,
    workflow_inbox.c.taken_at.is_(None),
)


def _with_node(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _runs.id.in_(select(_nodes.run_id).where(condition))


#: Whoever ended the leaf takes note of it within milliseconds.
_PATIENCE: Final = timedelta(seconds=2)
_LANDED_LONG_AGO: Final = (
    select(_nodes.run_id)
    .join(sends, sends.c.id == _nodes.id)
    .where(LANDED, sends.c.ended_at < ago(_PATIENCE))
)
_SOMETHING_HAPPENED: Final = or_(
    _runs.id.in_(select(_nodes.run_id).join(workflow_inbox, _HEARD).where(LISTENS)),
    _runs.id.in_(
        select(workflow_inbox.c.run_id).where(
            workflow_inbox.c.path.is_not(None), workflow_inbox.c.taken_at.is_(None)
        )
    ),
    _runs.resume.is_not(None),
    ~exists().where(_nodes.run_id == _runs.id).correlate(workflow_runs),
)
_LEAF: Final = sends.c.queue == LEAF_QUEUE
_IS_OPEN_LEAF: Final = or_(
    and_(is_in(SendStatus.RUNNING), _LEAF),
    and_(is_in(SendStatus.WAITING), _LEAF),
    and_(is_in(SendStatus.QUEUED), sends.c.dispatched_at.is_not(None), _LEAF),
)
_FINAL: Final = [status.value for status in NodeStatus if status.is_final]


class SqlWorkflowRecovery:
    """The `WorkflowRecovery` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> Sequence[RunAdvance]:
        what = select(_runs.id, _runs.name, _runs.priority).where(_runs.paused_at.is_(None))
        # Losers that may finish do so when their run has ended, too.
        at_any_time = or_(_runs.id.in_(_LANDED_LONG_AGO), _with_node(WAKES), _with_node(TIMED_OUT))
        rows = [*await self._database.read(what.where(at_any_time).limit(limit))]
        rows += await self._database.read(what.where(_OPEN, _SOMETHING_HAPPENED).limit(limit))
        found = {row["id"]: row for row in rows}
        return [
            RunAdvance(run_id=RunId(row["id"]), name=row["name"], priority=row["priority"])
            for row in found.values()
        ]

    async def disown(self, limit: int) -> Sequence[Send]:
        nobody = and_(sends.c.cancel_requested_at.is_(None), or_(_nodes.status.in_(_FINAL), _nodes.fell_back))
        found = select(sends.c.id).join(sessions).join(workflow_nodes, _nodes.id == sends.c.id)
        leaves = found.where(_IS_OPEN_LEAF, nobody).limit(limit)
        async with self._database.transaction() as run:
            rows = await run(leaves.with_for_update(of=sessions, key_share=True, skip_locked=True))
            return await disown(run, [row["id"] for row in rows], UNWANTED) if rows else ()
