"""What the rows tell of a send, to explain why it is not running."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Select, and_, func, or_, select

from powerloop.kernel.calls import ToolCall
from powerloop.kernel.explain.facts import Lease, RunFacts, SendFacts, Workers
from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.interactions import Interaction, InteractionStatus
from powerloop.kernel.queues import LEAF_QUEUE
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.tool_tasks import ToolTask
from powerloop.kernel.workflows import NodeStatus, RunStatus
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Database, Row
from powerloop.store.inputs import send_name
from powerloop.store.readiness import ITS_LANE
from powerloop.store.rows import call_of, interaction_of, send_of
from powerloop.store.schema import (
    agents,
    interactions,
    lane_marks,
    sends,
    sessions,
    tool_calls,
    tool_tasks,
    worker_leases,
    workflow_nodes,
    workflow_runs,
)
from powerloop.store.task_rows import task_of
from powerloop.store.workflow_rows import RUN_COLUMNS, run_of

#: A process may announce its agents so long before its lease begins, and is not taken for one without them.
_ANNOUNCED_EARLY: Final = timedelta(minutes=1)

_STARTED: Final = (SendStatus.RUNNING, SendStatus.WAITING)

_nodes = workflow_nodes.c
_AT_WORK: Final = _nodes.status == NodeStatus.RUNNING.value
_TIMED: Final = or_(_AT_WORK, _nodes.status == NodeStatus.DELAYED.value)


class SqlExplaining:
    """The `Explaining` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts_of(self, send_id: SendId) -> SendFacts | None:
        rows = await self._database.read(_sighting(send_id))
        if not rows:
            return None
        row = rows[0]
        send = send_of(row)
        leases = await self._database.read(_LEASES)
        waiting = send.status is SendStatus.WAITING
        return SendFacts(
            now=row["now"],
            send=send,
            dispatches=row["dispatches"],
            ahead=row["ahead"],
            head_id=row["head_id"],
            is_head=row["finished"] == send.position - 1,
            owner=_owner_of(send, leases),
            workers=_workers_of(leases),
            agent_announced=_is_announced(row, leases),
            marked_at=row["marked_at"],
            calls=await self._calls(send) if send.status in _STARTED else (),
            questions=await self._questions(send) if waiting else (),
            children=await self._children(send) if waiting else (),
            tasks=await self._tasks(send) if waiting else (),
            runs=await self._runs(send) if waiting else (),
            paused_at=row["paused_at"],
        )

    async def _calls(self, send: Send) -> tuple[ToolCall, ...]:
        place = (tool_calls.c.round, tool_calls.c.call_index)
        unended = (tool_calls.c.send_id == send.id, tool_calls.c.ended_at.is_(None))
        return tuple(
            map(call_of, await self._database.read(select(tool_calls).where(*unended).order_by(*place)))
        )

    async def _questions(self, send: Send) -> tuple[Interaction, ...]:
        is_open = interactions.c.status == InteractionStatus.OPEN.value
        asked = select(interactions).where(interactions.c.send_id == send.id, is_open)
        age = (interactions.c.created_at, interactions.c.id)
        return tuple(map(interaction_of, await self._database.read(asked.order_by(*age))))

    async def _children(self, send: Send) -> tuple[Send, ...]:
        its_own = (sends.c.parent_send_id == send.id, sends.c.queue != LEAF_QUEUE)
        unended = SENDS.where(*its_own, sends.c.ended_at.is_(None))
        rows = await self._database.read(unended.order_by(sends.c.created_at, sends.c.id))
        return tuple(child for child in map(send_of, rows) if child.lineage and child.lineage.awaited)

    async def _tasks(self, send: Send) -> tuple[ToolTask, ...]:
        unended = (tool_tasks.c.send_id == send.id, tool_tasks.c.ended_at.is_(None))
        age = (tool_tasks.c.created_at, tool_tasks.c.id)
        rows = await self._database.read(select(tool_tasks).where(*unended).order_by(*age))
        return tuple(map(task_of, rows))

    async def _runs(self, send: Send) -> tuple[RunFacts, ...]:
        is_open = workflow_runs.c.status == RunStatus.OPEN.value
        its = select(*RUN_COLUMNS).where(workflow_runs.c.send_id == send.id, is_open)
        rows = await self._database.read(its.order_by(workflow_runs.c.created_at, workflow_runs.c.id))
        return tuple([await self._run(row) for row in rows])

    async def _run(self, row: Row) -> RunFacts:
        read, count, its = self._database.read, func.count().label("count"), _nodes.run_id == row["id"]
        states = select(_nodes.status, count).where(its, _nodes.current).group_by(_nodes.status)
        driven = select(sends.c.status, count).join(workflow_nodes, _nodes.id == sends.c.id)
        asked = select(interactions.c.id).join(workflow_nodes, _nodes.id == interactions.c.send_id)
        is_open = interactions.c.status == InteractionStatus.OPEN.value
        age = (interactions.c.created_at, interactions.c.id)
        questions = await read(asked.where(its, _AT_WORK, is_open).order_by(*age))
        listening = select(_nodes.signal).where(its, _AT_WORK, _nodes.signal.is_not(None)).distinct()
        waking = await read(select(func.min(_nodes.wakes_at).label("at")).where(its, _TIMED))
        return RunFacts(
            run=run_of(row),
            nodes={NodeStatus(one["status"]): one["count"] for one in await read(states)},
            leaves={
                SendStatus(one["status"]): one["count"]
                for one in await read(driven.where(its, _AT_WORK).group_by(sends.c.status))
            },
            questions=len(questions),
            oldest_question=questions[0]["id"] if questions else None,
            signals=tuple(one["signal"] for one in await read(listening.order_by(_nodes.signal))),
            wakes_at=waking[0]["at"],
        )


def _sighting(send_id: SendId) -> Select[tuple[object, ...]]:
    """The send with what stands in other tables about it, one row each."""
    others = sends.alias("others")
    unended = and_(others.c.session_id == sends.c.session_id, others.c.ended_at.is_(None))
    ahead = select(func.count()).select_from(others).where(unended, others.c.position < sends.c.position)
    head_id = select(others.c.id).where(unended).order_by(others.c.position).limit(1)
    return (
        SENDS.add_columns(
            sessions.c.finished,
            sessions.c.paused_at,
            agents.c.announced_at,
            lane_marks.c.dispatched_at.label("marked_at"),
            ahead.scalar_subquery().label("ahead"),
            head_id.scalar_subquery().label("head_id"),
            now().label("now"),
        )
        .outerjoin(agents, agents.c.name == sessions.c.agent)
        .outerjoin(lane_marks, ITS_LANE)
        .where(sends.c.id == send_name(send_id))
    )


_LEASES: Final = select(worker_leases, (worker_leases.c.expires_at > now()).label("alive"))


def _owner_of(send: Send, leases: Sequence[Row]) -> Lease | None:
    if send.status is not SendStatus.RUNNING or send.owner is None:
        return None
    for row in leases:
        if row["id"] == send.owner:
            return Lease(worker=send.owner, alive=bool(row["alive"]), expires_at=row["expires_at"])
    return Lease(worker=send.owner, alive=False, expires_at=None)


def _workers_of(leases: Sequence[Row]) -> Workers:
    return Workers(
        alive=tuple(sorted(WorkerId(row["id"]) for row in leases if row["alive"])),
        last_expired_at=max((row["expires_at"] for row in leases if not row["alive"]), default=None),
    )


def _is_announced(row: Row, leases: Sequence[Row]) -> bool:
    """Whether some process that is alive may have announced the agent: it does so when it starts."""
    started = [lease["started_at"] for lease in leases if lease["alive"]]
    if row["announced_at"] is None:
        return False
    return not started or row["announced_at"] >= min(started) - _ANNOUNCED_EARLY
