"""How sends end, and what becomes of the calls that are open then: functions without I/O.

Whatever ends a send closes its open calls in the same commit, so that the transcript stays valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import Block, Message, NewMessage, Role, TextBlock, ToolResultBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendError, StopReason
from powerloop.kernel.usage import ModelCallEntry

ROUND_LIMIT_NOTE = "Not run: the round limit of this send is reached."
FAILED_NOTE = "Not run: the send failed before this call could run."
CANCELLED_NOTE = "Not run: the send was cancelled."
BUDGET_NOTE = "Not run to its end: the budget of this send is used up."
CUT_OFF_NOTE = "Cut off while it ran. It may have taken effect all the same: find out before you repeat it."

#: The metadata of a message that a cancel cut off.
CANCELLED_FINISH = {"finish": "cancelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """What a process was at when it had to stop: what only it knows."""

    #: The calls that ran.
    running: frozenset[CallId] = frozenset()
    #: Calls that had ended, without a commit.
    ended: tuple[ToolOutcome, ...] = ()
    #: What the model had written.
    text: str = ""
    #: What that model call cost.
    entries: tuple[ModelCallEntry, ...] = ()


NOTHING = CutOff()


def failure(
    calls: Sequence[ToolCall],
    error: SendError,
    *,
    rounds: int,
    cut: CutOff = NOTHING,
    entries: tuple[ModelCallEntry, ...] = (),
) -> Ending:
    """The ending of a send that cannot go on.

    Args:
        calls: The calls whose results are not in the log yet.
        error: Why it failed.
        rounds: Model calls that were committed.
        cut: What this process was at.
        entries: What the failed model call cost.
    """
    outcomes = _closed(calls, CallStatus.FAILED, FAILED_NOTE, cut)
    return Ending.failed(
        error, rounds=rounds, messages=_closing_message(calls, outcomes), outcomes=outcomes, entries=entries
    )


def cancelled(
    calls: Sequence[ToolCall],
    *,
    rounds: int,
    cut: CutOff = NOTHING,
) -> Ending:
    """The ending of a send whose end was asked for.

    Args:
        calls: The calls whose results are not in the log yet.
        rounds: Model calls that were committed.
        cut: What this process was at.
    """
    outcomes = _closed(calls, CallStatus.CANCELLED, CANCELLED_NOTE, cut)
    output: tuple[Block, ...] = (TextBlock(text=cut.text),) if cut.text and not calls else ()
    answer = NewMessage(role=Role.ASSISTANT, content=output, metadata=CANCELLED_FINISH)
    return Ending.cancelled(
        rounds=rounds,
        output=output,
        messages=(answer,) if output else _closing_message(calls, outcomes),
        outcomes=outcomes,
        entries=cut.entries,
    )


def out_of_budget(
    *,
    rounds: int,
    output: tuple[Block, ...],
    calls: Sequence[ToolCall] = (),
    entries: tuple[ModelCallEntry, ...] = (),
) -> Ending:
    """The ending of a send that may use nothing more.

    Args:
        rounds: Model calls that were committed.
        output: What the model said last.
        calls: The calls whose results are not in the log yet.
        entries: What a model call cost that the time of the budget cut off.
    """
    outcomes = _closed(calls, CallStatus.FAILED, BUDGET_NOTE, NOTHING)
    return Ending.completed(
        StopReason.BUDGET,
        rounds=rounds,
        output=output,
        messages=_closing_message(calls, outcomes),
        outcomes=outcomes,
        entries=entries,
    )


def last_answer(messages: Sequence[Message | NewMessage]) -> tuple[Block, ...]:
    """What the model said last."""
    return next((message.content for message in reversed(messages) if message.role is Role.ASSISTANT), ())


def close(calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> tuple[ToolCall, ...]:
    """The calls, with those that ended brought up to date."""
    ended = {outcome.call_id: outcome for outcome in outcomes}
    return tuple(
        replace(call, status=ended[call.id].status, result=ended[call.id].text) if call.id in ended else call
        for call in calls
    )


def results_message(calls: Sequence[ToolCall]) -> NewMessage:
    """The message that tells the model how its calls ended: one result for each, in the order it asked."""
    blocks = tuple(
        ToolResultBlock(call_id=call.id, text=call.result or "", is_error=call.status is not CallStatus.DONE)
        for call in calls
    )
    return NewMessage(role=Role.TOOL, content=blocks)


def _closing_message(calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> tuple[NewMessage, ...]:
    return (results_message(close(calls, outcomes)),) if calls else ()


def _closed(calls: Sequence[ToolCall], status: CallStatus, note: str, cut: CutOff) -> tuple[ToolOutcome, ...]:
    """The ends of all calls that are open: their own where they had come to one."""
    ended = {outcome.call_id: outcome for outcome in cut.ended}
    # One that is written down as running, or in doubt, may have taken effect in a process that died.
    begun = {call.id for call in calls if call.status in (CallStatus.RUNNING, CallStatus.IN_DOUBT)}
    return tuple(
        ended.get(call.id)
        or ToolOutcome(
            call_id=call.id, status=status, text=CUT_OFF_NOTE if call.id in begun | cut.running else note
        )
        for call in calls
        if not call.status.is_final
    )
