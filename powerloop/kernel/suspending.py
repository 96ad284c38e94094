"""What a send writes down as it begins to wait: functions without I/O."""

from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.ids import InteractionId, RunId, TaskId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.sends import Fence, Send
from powerloop.kernel.subagents import child_of, limits_of, refused_spawn
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.tool_tasks import NewToolTask
from powerloop.kernel.turn import Turn
from powerloop.kernel.waits import Question, Queued, RunWorkflow, Sleep, Spawn, ToolWait
from powerloop.kernel.workflows import NewRun

_NAMESPACE: Final = UUID("b7a1f3c2-5d1e-4a86-9f0b-3c1d8e2a6f54")


def suspension_of(turn: Turn) -> Suspension:
    """What the calls of the turn wait for, as it is written down."""
    send, calls = turn.claim.send, {call.id: call for call in turn.calls}
    waits = [(calls[one.call_id], one.wait) for one in turn.waits]
    asked = [
        *((call, doubt_about(call)) for call in turn.calls if call.status is CallStatus.IN_DOUBT),
        *((call, wait) for call, wait in waits if isinstance(wait, Question)),
    ]
    return Suspension(
        interactions=tuple(_interaction(turn.claim.fence, call, question) for call, question in asked),
        children=tuple(
            child_of(turn.agent, send, call, wait) for call, wait in waits if isinstance(wait, Spawn)
        ),
        sleeps=tuple(_sleep(call, wait) for call, wait in waits if isinstance(wait, Sleep)),
        tasks=tuple(_task(turn, call, wait) for call, wait in waits if isinstance(wait, Queued)),
        runs=tuple(_run(send, call, wait) for call, wait in waits if isinstance(wait, RunWorkflow)),
        max_descendants=limits_of(turn.agent, send).total,
        max_breadth=limits_of(turn.agent, send).breadth,
    )


def doubting(fence: Fence, call: ToolCall) -> Suspension:
    """What is written down of a call that may have taken effect, where only a person can tell."""
    return Suspension(interactions=(_interaction(fence, call, doubt_about(call)),))


def refused_spawns(turn: Turn) -> tuple[ToolOutcome, ...]:
    """The calls that ask for more sub-agents than the round may start."""
    refused, started = [], 0
    for one in turn.waits:
        if not isinstance(one.wait, Spawn):
            continue
        note = refused_spawn(turn.agent, turn.claim.send, started)
        if note is None:
            started += 1
        else:
            refused.append(ToolOutcome(call_id=one.call_id, status=CallStatus.FAILED, text=note))
    return tuple(refused)


def without_closed(turn: Turn) -> Turn:
    """The turn without what calls wait for that have ended."""
    still_open = {call.id for call in turn.calls if not call.status.is_final}
    return replace(turn, waits=tuple(one for one in turn.waits if one.call_id in still_open))


def waiting(turn: Turn, waits: tuple[ToolWait, ...]) -> Turn:
    """The turn with more that calls wait for."""
    return replace(turn, waits=(*turn.waits, *waits))


def doubt_about(call: ToolCall) -> Question:
    """What a person is asked of a call whose process died."""
    return Question(
        kind=InteractionKind.IN_DOUBT,
        prompt=(
            f"The process that ran {call.name} died while it ran. Did it take effect? If so, with what "
            "result? If not, it can be run now."
        ),
    )


def _sleep(call: ToolCall, sleep: Sleep) -> NewSleep:
    return NewSleep(call_id=call.id, lasts=sleep.lasts, until=sleep.until, result=sleep.result)


def _run(send: Send, call: ToolCall, wait: RunWorkflow) -> NewRun:
    """The run goes by the id of the send that drives it first."""
    return NewRun(
        call_id=call.id,
        run_id=wait.run_id or RunId(send.id),
        spec=wait.spec,
        input=wait.input,
        resume=wait.resume,
        owner_id=wait.owner_id,
    )


def _task(turn: Turn, call: ToolCall, queued: Queued) -> NewToolTask:
    """The task of the call. A claim puts each call on its queue at most once."""
    fence = turn.claim.fence
    return NewToolTask(
        id=TaskId(str(uuid5(_NAMESPACE, f"{fence.send_id}:{call.id}:{fence.epoch}"))),
        call_id=call.id,
        tool=call.name,
        queue=queued.queue,
        arguments=queued.arguments,
        edited=queued.edited,
    )


def _interaction(fence: Fence, call: ToolCall, question: Question) -> NewInteraction:
    """The question about the call. A claim asks of each call at most once."""
    return NewInteraction(
        id=InteractionId(f"{fence.send_id}:{fence.epoch}.{call.index}"),
        kind=question.kind,
        call_id=call.id,
        prompt=question.prompt,
        schema=question.schema,
        choices=question.choices,
        within=question.within,
        default=question.default,
    )
