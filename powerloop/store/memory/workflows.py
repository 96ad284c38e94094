"""Runs of workflows, in memory: read, moved on, spoken to and paused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from powerloop.kernel.errors import RunNotFound
from powerloop.kernel.ids import NodeId, RunId, SendId, SessionId
from powerloop.kernel.money import nanodollars
from powerloop.kernel.planning import Landed, Plan, Planner, RunEnd, Snapshot, report_of
from powerloop.kernel.ports.workflows import Advanced, Continued, NodeCost, Said
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import SessionStatus
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus, WorkflowRun
from powerloop.store.encoding import cleaned
from powerloop.store.inputs import checked_send
from powerloop.store.memory.acceptance import accept_in
from powerloop.store.memory.interactions import wake
from powerloop.store.memory.state import State
from powerloop.store.memory.workflow_steps import decided, happened, up, write


class MemoryWorkflows:
    """The `Workflows` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, run_id: RunId) -> WorkflowRun | None:
        return self._state.runs.get(run_id)

    async def list(
        self, *, status: RunStatus | None = None, name: str | None = None, limit: int = 100
    ) -> Sequence[WorkflowRun]:
        found = [
            run
            for run in self._state.runs.values()
            if status in (None, run.status) and name in (None, run.name)
        ]
        return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)[:limit]

    async def nodes(self, run_id: RunId) -> Sequence[Node]:
        return [node for node in self._state.nodes.values() if node.run_id == run_id]

    async def spec(self, run_id: RunId) -> Mapping[str, Any] | None:
        return self._state.specs[run_id][0] if run_id in self._state.specs else None

    async def costs(self, run_id: RunId) -> Mapping[SendId, NodeCost]:
        state = self._state
        leaves = [node.send_id for node in await self.nodes(run_id) if node.send_id]
        costs = {}
        for leaf in leaves:
            tree = {send.id for send in state.sends.values() if send.root_id == leaf}
            spent = [row.entry.cost for row in state.ledger if row.send_id in tree]
            known = [cost for cost in spent if cost is not None]
            costs[leaf] = NodeCost(
                input_tokens=sum(state.sends[one].usage.input_tokens for one in tree),
                output_tokens=sum(state.sends[one].usage.output_tokens for one in tree),
                cost=sum(map(nanodollars, known)) if known else None,
                worker=state.sends[leaf].owner if leaf in state.sends else None,
            )
        return costs

    async def advance(self, run_id: RunId, planner: Planner) -> Advanced:
        state, run = self._state, self._state.runs.get(run_id)
        if run is None or run.paused_at is not None:
            return Advanced()
        send, is_open = state.sends[run.send_id], run.status is RunStatus.OPEN
        if is_open and not (send.status is SendStatus.WAITING and send.cancel is None):
            return Advanced()
        events = happened(state, run_id, is_open=is_open)
        resume = state.resumes.get(run_id) if is_open else None
        begun = any(node.run_id == run_id for node in state.nodes.values())
        if not events and not (is_open and (resume or not begun)):
            return Advanced()
        nodes = up(state, {event.node_id for event in events})
        snapshot = Snapshot(run_id=run_id, send=send, events=events, nodes=nodes, resume=resume)
        plan = decided(state, planner, snapshot)
        landed: set[str] = {event.node_id for event in events if isinstance(event, Landed)}
        started, unwanted = write(state, plan, landed)
        state.resumes.pop(run_id, None)
        woken = self._end(run, plan) if is_open else []
        listens = any(one.node.signal and one.is_new for one in plan.writes)
        return Advanced(ready=(*started, *woken), unwanted=tuple(unwanted), again=listens)

    async def tell(self, run_id: RunId, said: Said) -> bool:
        if run_id not in self._state.runs:
            raise RunNotFound(run_id)
        if said.key is not None:
            if (run_id, said.key) in self._state.said:
                return False
            self._state.said.add((run_id, said.key))
        self._state.inbox.append((run_id, replace(said, payload=cleaned(said.payload))))
        return True

    async def pause(self, run_id: RunId) -> WorkflowRun:
        return self._pause(run_id, paused=True)

    async def resume(self, run_id: RunId) -> Continued:
        run = self._pause(run_id, paused=False)
        sends = [self._state.sends[SendId(leaf)] for leaf in self._leaves(run_id)]
        return Continued(run=run, ready=tuple(send for send in sends if send.status is SendStatus.QUEUED))

    def _pause(self, run_id: RunId, *, paused: bool) -> WorkflowRun:
        run = self._state.runs.get(run_id)
        if run is None:
            raise RunNotFound(run_id)
        now = self._state.clock.now()
        at = (run.paused_at or now) if paused else None
        for leaf in self._leaves(run_id):
            session = self._state.sessions[SessionId(leaf)]
            self._state.sessions[session.id] = replace(session, paused_at=at)
        self._state.runs[run_id] = run = replace(run, paused_at=at)
        return run

    def _leaves(self, run_id: RunId) -> Sequence[NodeId]:
        """Leaves that have not ended, whose sends and sessions go by the same ids."""
        return [
            node.id
            for node in self._state.nodes.values()
            if node.run_id == run_id and node.status is NodeStatus.RUNNING and node.send_id
        ]

    def _end(self, run: WorkflowRun, plan: Plan) -> Sequence[Send]:
        """End the run, and the call that waits for it, and tell its owner; what is to be published then."""
        if plan.end is None:
            return ()
        end = plan.end
        self._state.runs[run.id] = replace(
            run,
            status=end.status,
            value=cleaned(end.value),
            code=end.code,
            message=end.message,
            ended_at=self._state.clock.now(),
        )
        self._state.end_calls(run.send_id, (end.outcome(run.call_id),))
        woken = wake(self._state, run.send_id)
        return [send for send in (woken, self._tell_owner(run, end)) if send]

    def _tell_owner(self, run: WorkflowRun, end: RunEnd) -> Send | None:
        """Accept the send that tells the session which the run belongs to of its end."""
        owner = self._state.sessions.get(run.owner_id) if run.owner_id else None
        if owner is None or owner.status is SessionStatus.CLOSED:
            return None
        report = report_of(run.id, run.name, end, owner.id, self._state.sends[run.send_id])
        accepted = accept_in(self._state, owner, checked_send(report))
        return accepted.send if accepted.is_head else None
