"""Carrying out the calls of one claim: which run now, how they ended, and what they wait for."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from powerloop.kernel.calls import CallStatus, Finding, ToolCall, ToolOutcome
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.hooks import Hooks
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import Role, ToolCallBlock, calls_of
from powerloop.kernel.ports.toolbox import Toolbox
from powerloop.kernel.turn import Turn
from powerloop.kernel.waits import Question, Queued, RunWorkflow, Sleep, Spawn, ToolWait

logger = logging.getLogger("powerloop.executor")

#: How long calls that are cut off may take to clean up; then they are left to themselves.
_CLEAN_UP_S = 5.0


class CallNews(Protocol):
    """Hears that calls begin."""

    def tool_started(self, call: ToolCall) -> None:
        """The call begins."""
        ...


@dataclass(slots=True, kw_only=True)
class CallRunner:
    """Carries out calls, and knows what each is at until that is written down."""

    toolbox: Toolbox
    announcer: CallNews
    hooks: Hooks
    running: set[CallId] = field(default_factory=set)
    #: Calls that have ended, until their commit.
    ended: dict[CallId, ToolOutcome] = field(default_factory=dict)
    #: What calls have come to wait for, until the turn knows.
    waits: list[ToolWait] = field(default_factory=list)

    async def admit(self, turn: Turn, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        """Those that may run now, as they are to run. The others have ended, or wait for a person."""
        calls, refused = await self.hooks.before_tools(calls)
        self.ended |= {outcome.call_id: outcome for outcome in refused}
        admitted = [await self._approved(turn, call) for call in calls]
        return tuple(call for call in admitted if call is not None)

    def start(self, turn: Turn, calls: Iterable[ToolCall]) -> "set[asyncio.Task[None]]":
        """Start them all, at the same time."""
        blocks = _asked_for(turn)
        return {asyncio.create_task(self._run(turn, call, blocks.get(call.id))) for call in calls}

    async def probe(self, turn: Turn, calls: Sequence[ToolCall]) -> Mapping[CallId, Finding]:
        """What the outside world says of calls whose process died while they ran."""
        send, agent = turn.claim.send, turn.agent
        probes = [asyncio.create_task(self.toolbox.probe(agent, send, call)) for call in calls]
        try:
            # Not `gather`, which would wait for a probe that does not heed its cancellation.
            await asyncio.wait(probes)
        finally:
            await cut_off(probe for probe in probes if not probe.done())
        return {call.id: probe.result() for call, probe in zip(calls, probes, strict=True)}

    async def _approved(self, turn: Turn, call: ToolCall) -> ToolCall | None:
        question = await self.toolbox.approval(turn.agent, turn.claim.send, call)
        if question is None:
            return call
        if await self._asked(call, question):
            return replace(call, approved=True)
        return None

    async def _asked(self, call: ToolCall, question: Question) -> bool:
        """Whether a hook allows the call at once. If none answers, the call waits for a person."""
        resolution = await self.hooks.interaction(call, question)
        if resolution is None:
            self.waits.append(ToolWait(call_id=call.id, wait=question))
        elif resolution.text is not None:
            self.ended[call.id] = ToolOutcome(call_id=call.id, status=resolution.status, text=resolution.text)
        return resolution is not None and resolution.status is CallStatus.PENDING

    async def _run(self, turn: Turn, call: ToolCall, block: ToolCallBlock | None) -> None:
        self.announcer.tool_started(call)
        self.running.add(call.id)
        passing(CrashPoint.BEFORE_TOOL)
        malformed = block.malformed if block else ""
        came_to = await self.toolbox.call(turn.agent, turn.claim.send, call, malformed)
        passing(CrashPoint.AFTER_TOOL)
        match came_to:
            case ToolOutcome():
                outcome = await self.hooks.after_tool(call, came_to)
                journaled = _journaled(turn, call)
                self.ended[call.id] = (
                    telling_of_edits(journaled, outcome) if _is_edited(journaled, block) else outcome
                )
            case ToolWait(wait=Question() as question):
                await self._asked(call, question)
            case ToolWait(wait=Spawn() as spawn):
                await self._spawned(call, spawn)
            case ToolWait(wait=Queued() as queued):
                edited = _is_edited(_journaled(turn, call), block)
                self.waits.append(ToolWait(call_id=call.id, wait=replace(queued, edited=edited)))
            case ToolWait(wait=Sleep() | RunWorkflow()):
                self.waits.append(came_to)
        self.running.discard(call.id)

    async def _spawned(self, call: ToolCall, spawn: Spawn) -> None:
        match await self.hooks.spawn(call, spawn):
            case ToolOutcome() as refused:
                self.ended[call.id] = refused
            case Spawn() as allowed:
                self.waits.append(ToolWait(call_id=call.id, wait=allowed))


async def cut_off(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the calls, and let them clean up for a while."""
    pending = set(tasks)
    if not pending:
        return
    for task in pending:
        task.cancel()
    ended, lingering = await asyncio.wait(pending, timeout=_CLEAN_UP_S)
    for task in ended:
        # Whatever it raised has come too late to matter; asked for, so that nobody warns of it.
        _ = task.cancelled() or task.exception()
    if lingering:
        logger.warning("tool calls left running", extra={"count": len(lingering)})


def _asked_for(turn: Turn) -> dict[CallId, ToolCallBlock]:
    """The calls as the model wrote them."""
    answer = next((message for message in reversed(turn.messages) if message.role is Role.ASSISTANT), None)
    return {block.id: block for block in calls_of(answer.content)} if answer else {}


def _journaled(turn: Turn, call: ToolCall) -> ToolCall:
    """The call as it is in the journal: a hook may have changed what it was run with."""
    return next((known for known in turn.calls if known.id == call.id), call)


def _is_edited(call: ToolCall, block: ToolCallBlock | None) -> bool:
    """Whether a person changed what the model had asked for."""
    return call.approved and block is not None and block.arguments != call.arguments


def telling_of_edits(call: ToolCall, outcome: ToolOutcome) -> ToolOutcome:
    """The outcome of a call whose arguments a person changed: the model is told of that first."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return replace(outcome, text=f"[A person changed the arguments to {arguments}]\n{outcome.text}")
