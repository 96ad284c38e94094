"""What the rows tell of a send, in memory."""

from collections import Counter

from powerloop.kernel.explain.facts import Lease, RunFacts, SendFacts, Workers
from powerloop.kernel.ids import SendId
from powerloop.kernel.interactions import InteractionStatus
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.workflows import NodeStatus, RunStatus, WorkflowRun
from powerloop.store.inputs import send_name
from powerloop.store.memory.state import State


class MemoryExplaining:
    """The `Explaining` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def facts_of(self, send_id: SendId) -> SendFacts | None:
        state = self._state
        send = state.sends.get(send_name(send_id))
        if send is None:
            return None
        queue = [state.sends[one] for one in state.queues[send.session_id]]
        unended = [one for one in queue if not one.status.is_final]
        started = send.status in (SendStatus.RUNNING, SendStatus.WAITING)
        waiting = send.status is SendStatus.WAITING
        calls = state.calls.get(send.id, {}).values() if started else ()
        return SendFacts(
            now=state.clock.now(),
            send=send,
            dispatches=state.dispatches[send.id],
            ahead=sum(one.position < send.position for one in unended),
            head_id=unended[0].id if unended else None,
            is_head=state.sessions[send.session_id].finished == send.position - 1,
            owner=self._owner_of(send),
            workers=self._workers(),
            agent_announced=send.agent in state.agents,
            marked_at=state.marks.get(send.lane),
            calls=tuple(call for call in calls if not call.status.is_final),
            questions=tuple(
                question
                for question in state.interactions.values()
                if waiting and question.send_id == send.id and question.status is InteractionStatus.OPEN
            ),
            children=tuple(one for one in state.sends.values() if waiting and _is_awaited_by(send, one)),
            tasks=tuple(
                task
                for task in state.tasks.values()
                if waiting and task.send_id == send.id and not task.status.is_final
            ),
            runs=tuple(
                self._run(run)
                for run in state.runs.values()
                if waiting and run.send_id == send.id and run.status is RunStatus.OPEN
            ),
            paused_at=state.sessions[send.session_id].paused_at,
        )

    def _run(self, run: WorkflowRun) -> RunFacts:
        state = self._state
        nodes = [node for node in state.nodes.values() if node.run_id == run.id]
        running = [node for node in nodes if node.status is NodeStatus.RUNNING]
        leaves = [state.sends[node.send_id] for node in running if node.send_id]
        their = {leaf.id for leaf in leaves}
        asked = [
            question.id
            for question in state.interactions.values()
            if question.send_id in their and question.status is InteractionStatus.OPEN
        ]
        delayed = [node for node in nodes if node.status is NodeStatus.DELAYED]
        return RunFacts(
            run=run,
            nodes=Counter(node.status for node in nodes if node.current),
            leaves=Counter(leaf.status for leaf in leaves),
            questions=len(asked),
            oldest_question=asked[0] if asked else None,
            signals=tuple(sorted({node.signal for node in running if node.signal})),
            wakes_at=min((node.wakes_at for node in (*running, *delayed) if node.wakes_at), default=None),
        )

    def _owner_of(self, send: Send) -> Lease | None:
        if send.status is not SendStatus.RUNNING or send.owner is None:
            return None
        return Lease(
            worker=send.owner,
            alive=self._state.is_alive(send.owner),
            expires_at=self._state.leases.get(send.owner),
        )

    def _workers(self) -> Workers:
        # The renewal thread may write meanwhile.
        leases, now = dict(self._state.leases), self._state.clock.now()
        return Workers(
            alive=tuple(sorted(worker for worker, expires_at in leases.items() if expires_at > now)),
            last_expired_at=max((at for at in leases.values() if at <= now), default=None),
        )


def _is_awaited_by(parent: Send, child: Send) -> bool:
    lineage = child.lineage
    if lineage is None or child.status.is_final:
        return False
    return lineage.awaited and lineage.leaf is None and lineage.send_id == parent.id
