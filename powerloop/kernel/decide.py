"""What comes next in a send: functions of what is known, without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from typing import TypeAlias

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolCall, ToolOutcome
from powerloop.kernel.endings import ROUND_LIMIT_NOTE, cancelled, last_answer
from powerloop.kernel.ids import CallId
from powerloop.kernel.jsontypes import in_key_order
from powerloop.kernel.messages import Block, Message, NewMessage, Role, ToolCallBlock, calls_of
from powerloop.kernel.ports.journal import Ending, ModelCommit
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.sends import StopReason
from powerloop.kernel.suspending import refused_spawns, suspension_of
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.turn import Turn
from powerloop.kernel.waits import Queued


@dataclass(frozen=True, slots=True, kw_only=True)
class CallModel:
    """Ask the model."""

    round: int
    request: ModelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCalls:
    """Carry out the calls, at the same time."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCalls:
    """Find out what became of calls whose process died while they ran."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCalls:
    """Write how calls ended that are not to run; once no call is open, tell the model."""

    outcomes: tuple[ToolOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Take in the sends that steer this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """End the send."""

    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend:
    """Write down what calls wait for, and let the send wait."""

    suspension: Suspension


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Give the send back, for another process to go on."""


#: What leaves the send with this process.
Onward: TypeAlias = CallModel | RunCalls | ProbeCalls | CloseCalls | Merge

#: What the send leaves this process by.
Exit: TypeAlias = Finish | Suspend | HandOver

Step: TypeAlias = Onward | Exit


def next_step(turn: Turn, *, draining: bool) -> Step:
    """The step that a send takes from here. Asked anew after every commit."""
    if turn.cancel_requested:
        return Finish(ending=cancelled(turn.calls, rounds=turn.rounds))
    if draining:
        return HandOver()
    if turn.calls:
        return _next_for_calls(turn)
    if turn.steering:
        return Merge()
    if turn.rounds >= turn.agent.max_rounds:
        ending = Ending.completed(
            StopReason.ROUND_LIMIT, rounds=turn.rounds, output=last_answer(turn.messages)
        )
        return Finish(ending=ending)
    return CallModel(round=turn.rounds + 1, request=_request(turn))


def _next_for_calls(turn: Turn) -> Step:
    if begun := _in(turn, CallStatus.RUNNING):
        return ProbeCalls(calls=begun)
    asked_for = {one.call_id for one in turn.waits}
    pending = tuple(call for call in _in(turn, CallStatus.PENDING) if call.id not in asked_for)
    if pending and turn.rounds >= turn.agent.max_rounds:
        notes = (
            ToolOutcome(call_id=call.id, status=CallStatus.FAILED, text=ROUND_LIMIT_NOTE) for call in pending
        )
        return CloseCalls(outcomes=tuple(notes))
    if pending and not _is_held_up(turn, batch := _together(turn.agent, pending)):
        return RunCalls(calls=batch)
    if refused := refused_spawns(turn):
        return CloseCalls(outcomes=refused)
    if turn.waits or any(not call.status.is_final for call in turn.calls):
        return Suspend(suspension=suspension_of(turn))
    return CloseCalls(outcomes=())


def awaits_results(messages: Sequence[Message]) -> bool:
    """Whether the log ends with calls whose results are not in it."""
    return bool(messages) and messages[-1].role is Role.ASSISTANT and bool(calls_of(messages[-1].content))


def settle(turn: Turn, reply: ModelReply) -> ModelCommit | Ending:
    """What a reply comes to: a commit, if the model asks for calls; otherwise the end of the send."""
    content = _with_unique_ids(reply.content, _known_ids(turn.messages))
    message = NewMessage(role=Role.ASSISTANT, content=content)
    number = turn.rounds + 1
    if calls := calls_of(content):
        return ModelCommit(
            round=number,
            message=message,
            calls=tuple(_new_call(turn.agent, block, index) for index, block in enumerate(calls)),
            entries=reply.attempts,
        )
    return Ending.completed(
        _STOP_REASONS[reply.finish],
        rounds=number,
        output=content,
        messages=(message,) if content else (),
        entries=reply.attempts,
    )


_STOP_REASONS = {
    FinishReason.STOP: StopReason.END_TURN,
    FinishReason.TOOL_CALLS: StopReason.END_TURN,
    FinishReason.LENGTH: StopReason.OUTPUT_LIMIT,
    FinishReason.REFUSAL: StopReason.REFUSAL,
}


def _request(turn: Turn) -> ModelRequest:
    return ModelRequest(
        model=turn.agent.model,
        system=turn.agent.instructions,
        messages=turn.messages,
        tools=tuple(tool.spec for tool in turn.agent.tools),
        settings=turn.agent.settings,
        deadline=turn.agent.model_timeout,
        session_id=turn.claim.send.session_id,
        send_id=turn.claim.send.id,
    )


def _in(turn: Turn, status: CallStatus) -> tuple[ToolCall, ...]:
    return tuple(call for call in turn.calls if call.status is status)


def _together(agent: Agent, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls that run next: all up to the first that must run alone, or that one."""
    concurrent = _concurrent(agent)
    return tuple(takewhile(lambda call: call.name in concurrent, calls)) or (calls[0],)


def _is_held_up(turn: Turn, batch: Sequence[ToolCall]) -> bool:
    """Whether the calls have to wait until others have run that are to run on queues of their own: since one
    of these, or the next, must run alone."""
    queued = {one.call_id for one in turn.waits if isinstance(one.wait, Queued)}
    involved = [*batch, *(call for call in turn.calls if call.id in queued)]
    return bool(queued) and not {call.name for call in involved} <= _concurrent(turn.agent)


def _concurrent(agent: Agent) -> set[str]:
    """The tools whose calls may run at the same time as others."""
    return {tool.spec.name for tool in agent.tools if tool.spec.concurrent}


def _new_call(agent: Agent, block: ToolCallBlock, index: int) -> NewToolCall:
    effects = {tool.spec.name: tool.spec.effect for tool in agent.tools}
    return NewToolCall(
        id=block.id,
        name=block.name,
        arguments=block.arguments,
        # A tool that does not exist changes nothing.
        effect=effects.get(block.name, Effect.READ),
        index=index,
    )


def _known_ids(messages: Sequence[Message | NewMessage]) -> set[CallId]:
    return {
        call.id
        for message in messages
        if message.role is Role.ASSISTANT
        for call in calls_of(message.content)
    }


def _with_unique_ids(content: Sequence[Block], taken: set[CallId]) -> tuple[Block, ...]:
    """The content as it will be stored. Call ids are unique: some models number theirs anew each round."""
    blocks: list[Block] = []
    for block in content:
        if isinstance(block, ToolCallBlock):
            block = _final(block, taken)  # noqa: PLW2901 - the block as it will be stored
            taken.add(block.id)
        blocks.append(block)
    return tuple(blocks)


def _final(block: ToolCallBlock, taken: set[CallId]) -> ToolCallBlock:
    arguments = in_key_order(block.arguments)
    assert isinstance(arguments, Mapping)
    return replace(block, id=_free_id(block.id, taken), arguments=arguments)


def _free_id(wanted: CallId, taken: set[CallId]) -> CallId:
    if wanted not in taken:
        return wanted
    return next(name for number in count(2) if (name := CallId(f"{wanted}_{number}")) not in taken)
