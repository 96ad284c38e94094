"""The tables of the in-memory store, and the guards that its repositories share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from powerloop.kernel.budgets import Account, Spending
from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import (
    CallId,
    Epoch,
    InteractionId,
    NodeId,
    RunId,
    SendId,
    Seq,
    SessionId,
    TaskId,
    TimerId,
    WorkerId,
)
from powerloop.kernel.interactions import Interaction, InteractionStatus
from powerloop.kernel.jsontypes import JSONObject, clean_text
from powerloop.kernel.messages import Message, NewMessage
from powerloop.kernel.ports.store import AnnouncedAgent
from powerloop.kernel.ports.workflow_specs import StoredWorkflow
from powerloop.kernel.ports.workflows import Said
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import CancelRequest, Fence, Send, SendStatus
from powerloop.kernel.sessions import Session
from powerloop.kernel.timers import Firing, Timer
from powerloop.kernel.tool_tasks import ToolTask
from powerloop.kernel.usage import ModelCallEntry
from powerloop.kernel.workflows import Node, Resume, WorkflowRun
from powerloop.store.encoding import cleaned, cleaned_content
from powerloop.store.ledger import cleaned_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One attempt at a model call, with whom it was for."""

    send_id: SendId
    #: From 1.
    round: int
    #: The attempt of the send, from 1.
    attempt: int
    entry: ModelCallEntry
    created_at: datetime


@dataclass(slots=True)
class State:
    """Every row. No method of a repository awaits, so each is a transaction to its event loop."""

    clock: Clock
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    sends: dict[SendId, Send] = field(default_factory=dict)
    #: The sends of each session by position, from 1.
    queues: dict[SessionId, list[SendId]] = field(default_factory=dict)
    #: The sends of each session that have an idempotency key.
    keys: dict[tuple[SessionId, str], SendId] = field(default_factory=dict)
    messages: dict[SessionId, list[Message]] = field(default_factory=dict)
    calls: dict[SendId, dict[CallId, ToolCall]] = field(default_factory=dict)
    ledger: list[LedgerRow] = field(default_factory=list)
    agents: dict[str, AnnouncedAgent] = field(default_factory=dict)
    interactions: dict[InteractionId, Interaction] = field(default_factory=dict)
    #: Cancels of sends that nobody has accepted yet.
    early_cancels: dict[SendId, CancelRequest] = field(default_factory=dict)
    #: Sends whose messages the model sees no more.
    rolled_back: set[SendId] = field(default_factory=set)
    #: The budgets of sends that have one; what is reserved of them stands in `reservations`.
    accounts: dict[SendId, Account] = field(default_factory=dict)
    #: What each send has reserved of each account.
    reservations: dict[SendId, dict[SendId, Spending]] = field(default_factory=dict)
    #: When the time of sends with a budget is over.
    deadlines: dict[SendId, datetime] = field(default_factory=dict)
    #: Calls that run on queues of their own, and how many times each was made ready for a worker.
    tasks: dict[TaskId, ToolTask] = field(default_factory=dict)
    task_dispatches: Counter[TaskId] = field(default_factory=Counter)
    #: The results that calls have once they have slept.
    wake_results: dict[tuple[SendId, CallId], str] = field(default_factory=dict)
    #: Runs of workflows, what each runs and was given, and what a resume of it repairs.
    runs: dict[RunId, WorkflowRun] = field(default_factory=dict)
    specs: dict[RunId, tuple[JSONObject, Any]] = field(default_factory=dict)
    resumes: dict[RunId, Resume] = field(default_factory=dict)
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    items: dict[tuple[NodeId, int], Any] = field(default_factory=dict)
    #: What was said to runs, and no node has taken; and every key that was said.
    inbox: list[tuple[RunId, Said]] = field(default_factory=list)
    said: set[tuple[RunId, str]] = field(default_factory=set)
    #: The versions of stored workflows by name, from the first.
    workflow_specs: dict[str, list[StoredWorkflow]] = field(default_factory=dict)
    #: How many times each send was made ready for a worker.
    dispatches: Counter[SendId] = field(default_factory=Counter)
    #: How far the queues were taken, per lane.
    marks: dict[Lane, datetime] = field(default_factory=dict)
    #: Written by the renewal thread too, one item at a time, which the interpreter keeps whole.
    leases: dict[WorkerId, datetime] = field(default_factory=dict)
    timers: dict[TimerId, Timer] = field(default_factory=dict)
    #: What became of the ticks of each timer.
    firings: dict[TimerId, dict[datetime, Firing]] = field(default_factory=dict)
    #: When a beat was last heard of, and since when there is one.
    alive_at: datetime | None = None
    back_at: datetime | None = None

    def is_alive(self, worker: WorkerId | None) -> bool:
        """Whether the worker's lease runs."""
        expires_at = self.leases.get(worker) if worker else None
        return expires_at is not None and expires_at > self.clock.now()

    def head(self, session: Session) -> Send | None:
        """The send that the session is at, or `None` if none waits or runs."""
        queue = self.queues.get(session.id, [])
        return self.sends[queue[session.finished]] if session.finished < len(queue) else None

    def make_ready(self, send: Send, **changes: Any) -> Send:  # noqa: ANN401 - as the fields are
        """Stamp the send as dispatched now, with other changes if there are any; the send as it is then."""
        ready = replace(send, dispatched_at=self.clock.now(), **changes)
        self.sends[send.id] = ready
        self.dispatches[send.id] += 1
        return ready

    def advance(self, session: Session) -> Send | None:
        """Move the session on to its next send that has not ended; that one, if it is to be published."""
        queue = self.queues.get(session.id, [])
        finished = session.finished
        while finished < len(queue) and self.sends[queue[finished]].status.is_final:
            finished += 1
        session = replace(session, finished=finished, updated_at=self.clock.now())
        self.sessions[session.id] = session
        head = self.head(session)
        if head is None or head.status is not SendStatus.QUEUED:
            return None
        return self.make_ready(head)

    def withdraw(self, send: SendId) -> None:
        """Close what people were asked for the send, unanswered."""
        for question in self.interactions.values():
            if question.send_id == send and question.status is InteractionStatus.OPEN:
                self.interactions[question.id] = replace(
                    question, status=InteractionStatus.WITHDRAWN, closed_at=self.clock.now()
                )

    def fenced(self, fence: Fence) -> tuple[Session, Send]:
        """The session and the running send that `fence` gives the right to write.

        Raises:
            Fenced: it gives no such right any more.
        """
        session, send = self.sessions.get(fence.session_id), self.sends.get(fence.send_id)
        if session is None or send is None or session.epoch != fence.epoch:
            raise Fenced
        if send.session_id != session.id or send.status is not SendStatus.RUNNING:
            raise Fenced
        return session, send

    def append(self, session: Session, send: SendId, epoch: Epoch, messages: Sequence[NewMessage]) -> Session:
        """Append to the session's log; the session as it stands then."""
        now = self.clock.now()
        added = [
            Message(
                seq=Seq(seq),
                role=message.role,
                content=cleaned_content(message.content),
                send_id=send,
                epoch=epoch,
                created_at=now,
                metadata=cleaned(message.metadata),
            )
            for seq, message in enumerate(messages, start=session.seq + 1)
        ]
        self.messages.setdefault(session.id, []).extend(added)
        session = replace(session, seq=Seq(session.seq + len(messages)), updated_at=now)
        self.sessions[session.id] = session
        return session

    def end_calls(self, send: SendId, outcomes: Sequence[ToolOutcome]) -> None:
        """Write how calls ended. One that has ended stays as it is."""
        calls = self.calls.get(send, {})
        for outcome in outcomes:
            call = calls.get(CallId(clean_text(outcome.call_id)))
            if call is None or call.status.is_final:
                continue
            calls[call.id] = replace(
                call,
                status=outcome.status,
                result=clean_text(outcome.text),
                full_result=None if outcome.full_text is None else clean_text(outcome.full_text),
                ended_at=self.clock.now(),
            )

    def enter(self, send: Send, number: int, entries: Sequence[ModelCallEntry]) -> None:
        """Write ledger entries of the round `number`."""
        for entry in map(cleaned_entry, entries):
            self.ledger.append(
                LedgerRow(
                    send_id=send.id,
                    round=number,
                    attempt=send.attempt,
                    entry=entry,
                    created_at=self.clock.now(),
                )
            )


def waits(call: ToolCall) -> bool:
    """Whether the call waits for something outside."""
    return call.status in (CallStatus.WAITING, CallStatus.IN_DOUBT)
