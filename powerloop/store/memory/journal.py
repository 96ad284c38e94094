"""The executor's side of the store, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from powerloop.kernel.budgets import Reservation, Spending
from powerloop.kernel.calls import CallStatus, NewToolCall, ToolCall
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId, Epoch, SendId, SessionId, WorkerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import Message, NewMessage, Role
from powerloop.kernel.planning import cut_short
from powerloop.kernel.ports.journal import Committed, Ending, Finished, Merged, ModelCommit, ResultsCommit
from powerloop.kernel.sends import Claim, Fence, Lineage, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.kernel.suspension import Suspended, Suspension
from powerloop.store.encoding import cleaned, cleaned_content
from powerloop.store.inputs import SAME_CALL, cleaned_error, send_name, session_name
from powerloop.store.ledger import last_round, total_usage
from powerloop.store.memory.budgets import is_out_of_time, reserve, settle
from powerloop.store.memory.children import tell_parent
from powerloop.store.memory.state import State, waits
from powerloop.store.memory.steering import merge
from powerloop.store.memory.waiting import begin_waits, stop_tasks
from powerloop.store.memory.workflow_ends import stop_runs


class MemoryJournal:
    """The `Journal` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find_send(self, send_id: SendId) -> Send | None:
        return self._state.sends.get(send_name(send_id))

    async def is_head(self, send: Send) -> bool:
        session = self._state.sessions.get(send.session_id)
        return session is not None and session.finished == send.position - 1

    async def claim(self, send: Send, worker: WorkerId) -> Claim | None:
        session = self._state.sessions.get(send.session_id)
        head = self._state.head(session) if session else None
        if session is None or head is None or head.id != send.id or not self._is_free(head, worker):
            return None
        cancel = head.cancel or self._state.early_cancels.get(head.id)
        ours = head.status is SendStatus.RUNNING and head.owner == worker
        if session.paused_at and not (ours or cancel):
            return None
        session = replace(session, epoch=Epoch(session.epoch + 1))
        claimed = replace(
            head,
            status=SendStatus.RUNNING,
            attempt=head.attempt + 1,
            strikes=head.strikes if ours else head.strikes + 1,
            epoch=session.epoch,
            owner=worker,
            cancel=cancel,
            started_at=head.started_at or self._state.clock.now(),
        )
        # The first claim sets `started_at` for good: it tells if the input is in the log.
        inputs = () if head.started_at else (NewMessage(role=Role.USER, content=head.content),)
        session = self._state.append(session, head.id, session.epoch, inputs)
        self._state.sends[head.id] = claimed
        fence = Fence(session_id=session.id, send_id=head.id, epoch=session.epoch)
        return Claim(send=claimed, fence=fence, seq=session.seq, steering=session.steering > 0)

    async def load_window(self, session_id: SessionId, send_id: SendId | None = None) -> Sequence[Message]:
        unseen = self._state.rolled_back - {send_id}
        log = self._state.messages.get(session_name(session_id), ())
        return tuple(message for message in log if message.send_id not in unseen)

    async def load_calls(self, send_id: SendId) -> Sequence[ToolCall]:
        calls = self._state.calls.get(send_name(send_id), {}).values()
        last = max((call.round for call in calls), default=0)
        return sorted((call for call in calls if call.round == last), key=lambda call: call.index)

    async def commit_model(self, fence: Fence, commit: ModelCommit) -> Committed:
        session, send = self._state.fenced(fence)
        journal = self._state.calls.setdefault(send.id, {})
        calls = [_pending(send.id, commit.round, new) for new in commit.calls]
        _check_new(journal, calls)
        session = self._state.append(session, send.id, fence.epoch, (commit.message,))
        journal.update((call.id, call) for call in calls)
        usage = send.usage + total_usage(commit.entries)
        self._state.sends[send.id] = replace(send, rounds=commit.round, usage=usage, strikes=0)
        self._state.enter(send, commit.round, commit.entries)
        settle(self._state, fence, commit.entries)
        return _committed(session, send)

    async def reserve(self, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
        _, send = self._state.fenced(fence)
        return reserve(self._state, send, fence, budget, wanted)

    async def start_calls(self, fence: Fence, call_ids: Sequence[CallId]) -> None:
        _, send = self._state.fenced(fence)
        calls = self._state.calls.get(send.id, {})
        for call_id in map(CallId, map(clean_text, call_ids)):
            if call_id in calls and calls[call_id].status is CallStatus.PENDING:
                calls[call_id] = replace(
                    calls[call_id], status=CallStatus.RUNNING, started_at=self._state.clock.now()
                )

    async def commit_results(self, fence: Fence, commit: ResultsCommit) -> Committed:
        session, send = self._state.fenced(fence)
        messages = () if commit.message is None else (commit.message,)
        session = self._state.append(session, send.id, fence.epoch, messages)
        self._state.end_calls(send.id, commit.outcomes)
        self._state.sends[send.id] = replace(send, strikes=0)
        return _committed(session, send)

    async def suspend(self, fence: Fence, suspension: Suspension) -> Suspended:
        _, send = self._state.fenced(fence)
        if send.cancel is not None:
            return Suspended(waiting=False, cancel_requested=True)
        if is_out_of_time(self._state, send):
            return Suspended(waiting=False, cancel_requested=False, out_of_time=True)
        started = begin_waits(self._state, send, suspension)
        waiting = any(map(waits, self._state.calls.get(send.id, {}).values()))
        status = SendStatus.WAITING if waiting else SendStatus.RUNNING
        self._state.sends[send.id] = replace(send, status=status, strikes=0)
        return Suspended(waiting=waiting, cancel_requested=False, started=started)

    async def merge(self, fence: Fence) -> Merged:
        session, send = self._state.fenced(fence)
        return merge(self._state, session, send, fence)

    async def finish(self, fence: Fence, ending: Ending, lineage: Lineage | None = None) -> Finished:
        session, send = self._state.fenced(fence)
        output = cleaned_content(ending.output)
        session = self._state.append(session, send.id, fence.epoch, ending.messages)
        self._state.end_calls(send.id, ending.outcomes)
        self._state.withdraw(send.id)
        stop_tasks(self._state, send.id)
        stop_runs(
            self._state, send.id, cut_short(ending.status, ending.stop_reason, cleaned_error(ending.error))
        )
        self._state.enter(send, last_round(ending), ending.entries)
        settle(self._state, fence, ending.entries)
        self._state.sends[send.id] = replace(
            send,
            status=ending.status,
            stop_reason=ending.stop_reason,
            error=cleaned_error(ending.error),
            output=output,
            rounds=ending.rounds,
            usage=send.usage + total_usage(ending.entries),
            ended_at=self._state.clock.now(),
        )
        next_head = self._state.advance(session)
        parent = tell_parent(self._state, self._state.sends[send.id]) if lineage else None
        return Finished(seq=session.seq, next_head=next_head, parent=parent)

    async def hand_over(self, fence: Fence) -> Send:
        _, send = self._state.fenced(fence)
        return self._state.make_ready(
            send,
            status=SendStatus.QUEUED,
            attempt=send.attempt - 1,
            strikes=max(send.strikes - 1, 0),
            owner=None,
        )

    def _is_free(self, head: Send, worker: WorkerId) -> bool:
        if head.status is SendStatus.RUNNING:
            return head.owner == worker or not self._state.is_alive(head.owner)
        return head.status is SendStatus.QUEUED


def _committed(session: Session, send: Send) -> Committed:
    return Committed(seq=session.seq, cancel_requested=send.cancel is not None, steering=session.steering > 0)


def _check_new(journal: Mapping[CallId, ToolCall], calls: Sequence[ToolCall]) -> None:
    taken = {(call.round, call.index) for call in journal.values()}
    ids, places = {call.id for call in calls}, {(call.round, call.index) for call in calls}
    if len(ids - journal.keys()) < len(calls) or len(places - taken) < len(calls):
        raise InvalidInput(SAME_CALL)


def _pending(send_id: SendId, number: int, new: NewToolCall) -> ToolCall:
    return ToolCall(
        id=CallId(clean_text(new.id)),
        send_id=send_id,
        round=number,
        index=new.index,
        name=clean_text(new.name),
        arguments=cleaned(new.arguments),
        effect=new.effect,
        status=CallStatus.PENDING,
        result=None,
        full_result=None,
        started_at=None,
        ended_at=None,
    )
