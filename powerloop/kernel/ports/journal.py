"""The journal: the executor's side of the store. One call is one transaction, and each write is fenced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from powerloop.kernel.calls import NewToolCall, ToolCall, ToolOutcome
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import CallId, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.messages import Block, Message, NewMessage
from powerloop.kernel.ports.accounts import Accounts
from powerloop.kernel.sends import Claim, Fence, Lineage, Send, SendError, SendStatus, StopReason
from powerloop.kernel.suspension import Suspended, Suspension
from powerloop.kernel.usage import ModelCallEntry
from powerloop.kernel.workflows import RunAdvance


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCommit:
    """Commit A: the model's message, the calls it asks for, and what it cost."""

    #: From 1.
    round: int
    message: NewMessage
    calls: tuple[NewToolCall, ...]
    entries: tuple[ModelCallEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsCommit:
    """Commit B: how calls ended, and, with the last of their round, the message that tells the model."""

    outcomes: tuple[ToolOutcome, ...]
    message: NewMessage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit brought about."""

    #: The place of the session's last message.
    seq: Seq
    #: Whether somebody has asked for the send's end by now.
    cancel_requested: bool
    #: Whether sends wait to be merged into this one (`Policy.STEER`).
    steering: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The sends that were merged into one that runs."""

    #: The place of the session's last message.
    seq: Seq
    #: What was appended to the log, in the order in which the sends were accepted.
    messages: tuple[NewMessage, ...]
    #: The sends, `MERGED` now.
    sends: tuple[Send, ...]
    cancel_requested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a running send ends. Made by `completed`, `failed` and `cancelled`, one for each edge."""

    status: SendStatus
    stop_reason: StopReason | None
    error: SendError | None
    #: The content of the last model message: what `Send.output` will be.
    output: tuple[Block, ...]
    #: Messages that end the transcript: the model's last one, or the results of calls that are closed unrun.
    messages: tuple[NewMessage, ...]
    #: Calls that are closed by this ending.
    outcomes: tuple[ToolOutcome, ...]
    entries: tuple[ModelCallEntry, ...]
    #: Model calls committed by the send, this ending's own included.
    rounds: int

    @staticmethod
    def completed(
        stop_reason: StopReason,
        *,
        rounds: int,
        output: tuple[Block, ...],
        messages: tuple[NewMessage, ...] = (),
        outcomes: tuple[ToolOutcome, ...] = (),
        entries: tuple[ModelCallEntry, ...] = (),
    ) -> "Ending":
        """running → completed."""
        return Ending(
            status=SendStatus.COMPLETED,
            stop_reason=stop_reason,
            error=None,
            output=output,
            messages=messages,
            outcomes=outcomes,
            entries=entries,
            rounds=rounds,
        )

    @staticmethod
    def failed(
        error: SendError,
        *,
        rounds: int,
        messages: tuple[NewMessage, ...] = (),
        outcomes: tuple[ToolOutcome, ...] = (),
        entries: tuple[ModelCallEntry, ...] = (),
    ) -> "Ending":
        """running → failed."""
        return Ending(
            status=SendStatus.FAILED,
            stop_reason=None,
            error=error,
            output=(),
            messages=messages,
            outcomes=outcomes,
            entries=entries,
            rounds=rounds,
        )

    @staticmethod
    def cancelled(
        *,
        rounds: int,
        output: tuple[Block, ...] = (),
        messages: tuple[NewMessage, ...] = (),
        outcomes: tuple[ToolOutcome, ...] = (),
        entries: tuple[ModelCallEntry, ...] = (),
    ) -> "Ending":
        """running → cancelled. Why, and by whom, stands on the row since it was asked for."""
        return Ending(
            status=SendStatus.CANCELLED,
            stop_reason=None,
            error=None,
            output=output,
            messages=messages,
            outcomes=outcomes,
            entries=entries,
            rounds=rounds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What an ending brought about."""

    #: The place of the session's last message.
    seq: Seq
    #: The session's next head, now to be published; `None` if no send waits.
    next_head: Send | None
    #: The send of the parent, if this was the last that it waited for: queued now, and to be published. Or
    #: the send that takes the result to the parent's session, if that is its head. Or the run that the send
    #: was a leaf of.
    parent: Send | RunAdvance | None = None

    @property
    def ready(self) -> tuple[Ready, ...]:
        """What is to be published."""
        return tuple(one for one in (self.next_head, self.parent) if one)


class Journal(Accounts, Protocol):
    """What the executor reads and writes.

    Every method that takes a `Fence` checks its epoch under the session's row lock, in the same transaction
    as its writes, and raises `Fenced` if it is not the session's: nothing is written then. Every method may
    raise `StoreUnavailable`.
    """

    async def find_send(self, send_id: SendId) -> Send | None:
        """The send, or `None`."""
        ...

    async def is_head(self, send: Send) -> bool:
        """Whether it is the send that its session is at: all before it have ended, and it has not."""
        ...

    async def claim(self, send: Send, worker: WorkerId) -> Claim | None:
        """queued → running, or running under a dead owner, or under `worker` itself → running under `worker`.

        A worker claims anew what it owns after its connection broke off in a commit: it cannot know whether
        that commit took place, and goes on from whatever is in the log.

        Raises the session's epoch and the send's attempt by one, and its strikes unless `worker` had it
        already. The first claim appends the send's input to the log as a user message. A send that was
        cancelled before it was accepted gets its cancel request now.

        `None`: it is not the head of its session, it is final or waiting, its session is paused (and nobody
        has asked for its end, nor does `worker` own it already), or another worker that is alive owns it
        (alive until its lease runs out by the database's clock). Nothing was written then, the epoch
        included. One statement, one round trip.
        """
        ...

    async def load_window(self, session_id: SessionId, send_id: SendId | None = None) -> Sequence[Message]:
        """The messages that the model is to see, in order: without those of sends that were rolled back, but
        with those of `send_id` itself, which has to know its own to end."""
        ...

    async def load_calls(self, send_id: SendId) -> Sequence[ToolCall]:
        """The calls of the send's last round that has any, in the model's order."""
        ...

    async def commit_model(self, fence: Fence, commit: ModelCommit) -> Committed:
        """Append the model's message, its calls (`PENDING`) and ledger entries. Sets strikes to 0.

        Arguments come back with their keys in the order of `in_key_order`.
        """
        ...

    async def start_calls(self, fence: Fence, call_ids: Sequence[CallId]) -> None:
        """pending → running, before a call whose effect is `ONCE` runs."""
        ...

    async def commit_results(self, fence: Fence, commit: ResultsCommit) -> Committed:
        """Write how calls ended, and append their message if there is one. Sets strikes to 0."""
        ...

    async def suspend(self, fence: Fence, suspension: Suspension) -> Suspended:
        """running → waiting, if a call of the send waits when all that follows is written.

        The interactions are open, and their calls `IN_DOUBT` or `WAITING`. The sessions and sends of the
        sub-agents are written, and their calls `WAITING`, or `DONE` with a receipt where they are not
        awaited; those that are more than the tree may have are not written, and their calls `FAILED`. The
        tool tasks are queued, and their calls `WAITING`; calls that sleep are `WAITING` until their time.

        Sets strikes to 0. If the end of the send was asked for, or the time of its budget is over, nothing is
        written: it does not wait.
        """
        ...

    async def merge(self, fence: Fence) -> Merged:
        """queued → merged, for every send behind this one that steers: their inputs are user messages of this
        send now. It must have no open call: nothing comes between a call and its result."""
        ...

    async def finish(self, fence: Fence, ending: Ending, lineage: Lineage | None = None) -> Finished:
        """running → completed, failed or cancelled, and the session goes on to its next send that has not
        ended. Open interactions of the send are withdrawn, its tool tasks and runs cancelled.

        The end of a sub-agent resolves the wait of its parent's call in the same transaction, with
        `subagents.outcome_of` as its result, and makes the parent queued if that was the last; or accepts a
        send that takes the result to the parent's session, if it was not awaited. The end of a sub-agent's
        ephemeral session closes it.

        The end of a leaf of a workflow is written on its node, for the run to take note of.

        One statement, one round trip, unless sends behind it were cancelled, or calls are closed, or it has a
        budget or is a sub-agent's.

        Args:
            fence: The right to write.
            ending: How it ends.
            lineage: That of the send.
        """
        ...

    async def hand_over(self, fence: Fence) -> Send:
        """running → queued, so that another process goes on. The attempt is given back, the strike too.

        Returns the send, to publish.
        """
        ...
