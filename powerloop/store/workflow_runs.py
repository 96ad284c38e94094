"""Runs of workflows: read, moved on, spoken to and paused, on any database.

Whatever moves a run has the session of its send locked first, as all that moves that send has; then the rows
of its nodes. The end of a leaf has its own session locked, and writes one row of these: no two wait for each
other in a ring.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from powerloop.kernel.errors import RowRefused, RunNotFound
from powerloop.kernel.ids import RunId, SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.planning import Planner
from powerloop.kernel.ports.workflows import Advanced, Continued, NodeCost, Said
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus, WorkflowRun
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Database, Run
from powerloop.store.encoding import cleaned
from powerloop.store.portable.locking import lock_session
from powerloop.store.rows import send_of
from powerloop.store.schema import (
    model_calls,
    sends,
    sessions,
    workflow_inbox,
    workflow_nodes,
    workflow_runs,
)
from powerloop.store.workflow_rows import RUN_COLUMNS, json_of, node_of, run_of
from powerloop.store.workflow_steps import step

_runs, _nodes = workflow_runs.c, workflow_nodes.c
_SAME_KEY: Final = "uq_workflow_inbox_run_id_key"


class SqlWorkflows:
    """The `Workflows` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, run_id: RunId) -> WorkflowRun | None:
        rows = await self._database.read(select(*RUN_COLUMNS).where(_runs.id == clean_text(run_id)))
        return run_of(rows[0]) if rows else None

    async def list(
        self, *, status: RunStatus | None = None, name: str | None = None, limit: int = 100
    ) -> Sequence[WorkflowRun]:
        query = select(*RUN_COLUMNS).order_by(_runs.created_at.desc(), _runs.id.desc()).limit(limit)
        if status is not None:
            query = query.where(_runs.status == status.value)
        if name is not None:
            query = query.where(_runs.name == name)
        return [run_of(row) for row in await self._database.read(query)]

    async def nodes(self, run_id: RunId) -> Sequence[Node]:
        query = select(workflow_nodes).where(_nodes.run_id == clean_text(run_id))
        rows = await self._database.read(query.order_by(_nodes.created_at, _nodes.place, _nodes.id))
        return [node_of(row) for row in rows]

    async def spec(self, run_id: RunId) -> Mapping[str, Any] | None:
        rows = await self._database.read(select(_runs.spec).where(_runs.id == clean_text(run_id)))
        return json_of(rows[0]["spec"]) if rows else None

    async def costs(self, run_id: RunId) -> Mapping[SendId, NodeCost]:
        leaves = select(_nodes.send_id).where(
            _nodes.run_id == clean_text(run_id), _nodes.send_id.is_not(None)
        )
        tokens = (func.sum(sends.c.input_tokens), func.sum(sends.c.output_tokens))
        # A leaf is the root of all that it started.
        spent = select(
            sends.c.root_id, *(amount.label(name) for amount, name in zip(tokens, "io", strict=True))
        )
        rows = await self._database.read(spent.where(sends.c.root_id.in_(leaves)).group_by(sends.c.root_id))
        priced = select(sends.c.root_id, func.sum(model_calls.c.cost).label("cost"))
        priced = priced.join(model_calls, model_calls.c.send_id == sends.c.id)
        costs = await self._database.read(priced.where(sends.c.root_id.in_(leaves)).group_by(sends.c.root_id))
        workers = await self._database.read(select(sends.c.id, sends.c.owner).where(sends.c.id.in_(leaves)))
        cost = {row["root_id"]: row["cost"] for row in costs}
        owner = {row["id"]: row["owner"] for row in workers}
        return {
            row["root_id"]: NodeCost(
                input_tokens=int(row["i"]),
                output_tokens=int(row["o"]),
                cost=None if cost.get(row["root_id"]) is None else int(cost[row["root_id"]]),
                worker=owner.get(row["root_id"]),
            )
            for row in rows
        }

    async def advance(self, run_id: RunId, planner: Planner) -> Advanced:
        found = await self._database.read(select(_runs.session_id).where(_runs.id == run_id))
        if not found:
            return Advanced()
        async with self._database.transaction() as run:
            await lock_session(run, found[0]["session_id"])
            return await step(run, run_id, planner)

    async def tell(self, run_id: RunId, said: Said) -> bool:
        new = insert(workflow_inbox).values(
            run_id=run_id,
            signal=said.signal,
            path=said.path,
            payload=cleaned(said.payload),
            key=said.key,
            created_at=now(),
        )
        if await self.find(run_id) is None:
            raise RunNotFound(run_id)
        try:
            await self._database.write(new)
        except RowRefused as refused:
            if refused.constraint != _SAME_KEY:
                raise
            return False
        return True

    async def pause(self, run_id: RunId) -> WorkflowRun:
        async with self._database.transaction() as run:
            await self._locked(run, run_id)
            paused = update(workflow_runs).where(_runs.id == run_id, _runs.paused_at.is_(None))
            await run(paused.values(paused_at=now()))
            await run(update(sessions).where(_its_leaves(run_id)).values(paused_at=now()))
            return await self._locked(run, run_id)

    async def resume(self, run_id: RunId) -> Continued:
        async with self._database.transaction() as run:
            await self._locked(run, run_id)
            await run(update(workflow_runs).where(_runs.id == run_id).values(paused_at=None))
            await run(update(sessions).where(_its_leaves(run_id)).values(paused_at=None))
            queued = SENDS.where(_its_leaves(run_id), sends.c.status == SendStatus.QUEUED.value)
            rows = await run(queued.order_by(sends.c.dispatched_at, sends.c.id))
            return Continued(run=await self._locked(run, run_id), ready=tuple(map(send_of, rows)))

    async def _locked(self, run: Run, run_id: RunId) -> WorkflowRun:
        """The run, its session locked.

        Raises:
            RunNotFound: there is none.
        """
        rows = await run(select(*RUN_COLUMNS).where(_runs.id == clean_text(run_id)))
        if not rows:
            raise RunNotFound(run_id)
        await lock_session(run, rows[0]["session_id"])
        return run_of(rows[0])


def _its_leaves(run_id: RunId) -> Any:  # noqa: ANN401 - a condition on sessions
    """The sessions of leaves that have not ended: they go by the ids of their nodes."""
    running = (
        _nodes.run_id == run_id,
        _nodes.status == NodeStatus.RUNNING.value,
        _nodes.send_id.is_not(None),
    )
    return sessions.c.id.in_(select(_nodes.id).where(*running))
