"""Runs that nobody moves on, and leaves that nobody wants any more, found in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.sends import CancelRequest, Send, SendStatus
from powerloop.kernel.workflows import UNWANTED, NodeStatus, RunAdvance, RunStatus, WorkflowRun
from powerloop.store.memory.state import State

_UNDER_WAY = (NodeStatus.OPEN, NodeStatus.RUNNING, NodeStatus.DELAYED)


class MemoryWorkflowRecovery:
    """The `WorkflowRecovery` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def due(self, limit: int) -> Sequence[RunAdvance]:
        due = [run for run in self._state.runs.values() if not run.paused_at and self._is_due(run)]
        return [RunAdvance(run_id=run.id, name=run.name) for run in due[:limit]]

    async def disown(self, limit: int) -> Sequence[Send]:
        state = self._state
        request = CancelRequest(reason=UNWANTED, actor="", at=state.clock.now())
        found = [send for send in state.sends.values() if self._is_unwanted(send)][:limit]
        state.sends.update((send.id, replace(send, cancel=request)) for send in found)
        waiting = [state.sends[send.id] for send in found if send.status is not SendStatus.RUNNING]
        return [state.make_ready(send, status=SendStatus.QUEUED, owner=None) for send in waiting]

    def _is_due(self, run: WorkflowRun) -> bool:
        state, now = self._state, self._state.clock.now()
        own = [node for node in state.nodes.values() if node.run_id == run.id]
        times = (at for node in own if node.status in _UNDER_WAY for at in (node.wakes_at, node.deadline_at))
        landed = any(node.status is NodeStatus.LANDED for node in own)
        if landed or any(at is not None and at <= now for at in times):
            return True
        if run.status is not RunStatus.OPEN:
            return False
        heard = {said.signal for run_id, said in state.inbox if run_id == run.id}
        listening = {node.signal for node in own if node.status is NodeStatus.RUNNING and node.signal}
        passed_over = any(run_id == run.id and said.path for run_id, said in state.inbox)
        return bool(not own or run.id in state.resumes or passed_over or heard & listening)

    def _is_unwanted(self, send: Send) -> bool:
        leaf = send.lineage.leaf if send.lineage else None
        node = self._state.nodes.get(leaf.node_id) if leaf else None
        unwanted = node is not None and (node.status.is_final or node.fell_back)
        return unwanted and not send.status.is_final and send.cancel is None
