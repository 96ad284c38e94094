"""Carrying out one step of a send: the model call, the tool calls, and the commit that follows each."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from powerloop.kernel.announce import Announcer
from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolCall, ToolOutcome, Verdict
from powerloop.kernel.cancellation import uninterrupted
from powerloop.kernel.clock import Clock
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.decide import CallModel, settle
from powerloop.kernel.draft import Draft
from powerloop.kernel.endings import CutOff, close, results_message
from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.messages import Role, ToolCallBlock, calls_of
from powerloop.kernel.ports.journal import Ending, Journal, ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import Models
from powerloop.kernel.ports.toolbox import Toolbox
from powerloop.kernel.suspending import waiting, without_closed
from powerloop.kernel.turn import Turn
from powerloop.kernel.waits import ToolWait

logger = logging.getLogger("powerloop.executor")

#: How long calls that are cut off may take to clean up; then they are left to themselves.
_CLEAN_UP_S = 5.0

_AFTER_VERDICT = {Verdict.NOT_DONE: CallStatus.PENDING, Verdict.UNKNOWN: CallStatus.IN_DOUBT}


@dataclass(slots=True, kw_only=True)
class Performer:
    """Carries out the steps of one claim of one send, and knows what it is at.

    No commit is cut off by a cancellation: see `uninterrupted`.
    """

    journal: Journal
    models: Models
    toolbox: Toolbox
    announcer: Announcer
    clock: Clock
    #: Called when a step of the send is written.
    on_commit: Callable[[], None]
    #: How calls ended that an earlier claim of this process could not write down.
    untold: tuple[ToolOutcome, ...] = ()
    _draft: Draft | None = None
    _running: set[CallId] = field(default_factory=set)
    #: Calls that have ended, until their commit.
    _ended: dict[CallId, ToolOutcome] = field(default_factory=dict)
    #: What calls wait for that have come to it, until the turn knows.
    _waits: list[ToolWait] = field(default_factory=list)

    @property
    def cut_off(self) -> CutOff:
        """What it is at."""
        return CutOff(
            running=frozenset(self._running),
            ended=(*self.untold, *self._ended.values()),
            text=self._draft.written if self._draft else "",
            entries=(self._draft.entry(),) if self._draft else (),
        )

    async def call_model(self, turn: Turn, step: CallModel) -> Turn | Ending:
        """Ask the model; commit its answer if it asks for calls (commit A), else say how the send ends."""
        self.announcer.round_started(step.round)
        model = self.models.get(turn.agent.model)
        self._draft = Draft(step.request, self.announcer, self.clock, self.models)
        passing(CrashPoint.BEFORE_MODEL)
        reply = await model.respond(step.request, self._draft)
        passing(CrashPoint.AFTER_MODEL)
        self._draft = None
        match settle(turn, reply):
            case Ending() as ending:
                return ending
            case ModelCommit() as commit:
                return await self._commit_model(turn, commit)

    async def run_calls(self, turn: Turn, calls: Sequence[ToolCall]) -> Turn:
        """Run the calls at the same time; commit each as it ends (commit B), those that end together in one
        write. The last commit of the round tells the model. Calls that a person has to allow do not run."""
        turn, calls = await self._ask_first(turn, calls)
        if once := [call.id for call in calls if call.effect is Effect.ONCE]:
            await uninterrupted(self.journal.start_calls(turn.claim.fence, once))
            passing(CrashPoint.AFTER_START_CALLS)
        blocks = _asked_for(turn)
        running = {
            asyncio.create_task(
                self._run_call(turn, call, blocks[call.id].malformed if call.id in blocks else "")
            )
            for call in calls
        }
        try:
            while running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                turn = await self._close_ended(turn, done)
        finally:
            await _cut_off(running)
        return turn

    async def merge(self, turn: Turn) -> Turn:
        """Take in the sends that steer this one: their inputs are the next user messages."""
        passing(CrashPoint.BEFORE_MERGE)
        merged = await uninterrupted(self.journal.merge(turn.claim.fence))
        passing(CrashPoint.AFTER_MERGE)
        self.on_commit()
        if merged.sends:
            self.announcer.merged(merged.sends)
            self.announcer.committed(merged.seq, Role.USER)
        return replace(
            turn,
            messages=(*turn.messages, *merged.messages),
            steering=False,
            cancel_requested=merged.cancel_requested,
        )

    async def close_untold(self, turn: Turn) -> Turn:
        """Commit how calls ended that an earlier claim could not write down: they need not run again."""
        still_open = {call.id for call in turn.calls if not call.status.is_final}
        outcomes = [outcome for outcome in self.untold if outcome.call_id in still_open]
        return await self.close_calls(turn, outcomes) if outcomes else turn

    async def probe_calls(self, turn: Turn, calls: Sequence[ToolCall]) -> Turn:
        """Find out what became of calls whose process died: done, to be run, or in doubt."""
        passing(CrashPoint.BEFORE_PROBE)
        send, agent = turn.claim.send, turn.agent
        probes = [asyncio.create_task(self.toolbox.probe(agent, send, call)) for call in calls]
        try:
            # Not `gather`, which would wait for a probe that does not heed its cancellation.
            await asyncio.wait(probes)
        finally:
            await _cut_off(probe for probe in probes if not probe.done())
        findings = [probe.result() for probe in probes]
        passing(CrashPoint.AFTER_PROBE)
        found = dict(zip((call.id for call in calls), findings, strict=True))
        outcomes = tuple(
            ToolOutcome(call_id=call_id, status=CallStatus.DONE, text=finding.text)
            for call_id, finding in found.items()
            if finding.verdict is Verdict.DONE
        )
        open_now = {
            call_id: _AFTER_VERDICT[finding.verdict]
            for call_id, finding in found.items()
            if finding.verdict in _AFTER_VERDICT
        }
        turn = replace(
            turn,
            calls=tuple(replace(call, status=open_now.get(call.id, call.status)) for call in turn.calls),
        )
        return await self.close_calls(turn, outcomes) if outcomes else turn

    async def close_calls(self, turn: Turn, outcomes: Sequence[ToolOutcome]) -> Turn:
        """Commit how calls ended. When no call of the round is open any more, their message goes with it."""
        calls = close(turn.calls, outcomes)
        ended = all(call.status.is_final for call in calls)
        message = results_message(calls) if ended else None
        commit = ResultsCommit(outcomes=tuple(outcomes), message=message)
        committed = await uninterrupted(self.journal.commit_results(turn.claim.fence, commit))
        passing(CrashPoint.AFTER_COMMIT_RESULTS)
        self.on_commit()
        turn = replace(
            turn, calls=calls, cancel_requested=committed.cancel_requested, steering=committed.steering
        )
        turn = without_closed(turn)
        if message is None:
            return turn
        self.announcer.committed(committed.seq, Role.TOOL)
        return replace(turn, calls=(), messages=(*turn.messages, message))

    async def _commit_model(self, turn: Turn, commit: ModelCommit) -> Turn:
        committed = await uninterrupted(self.journal.commit_model(turn.claim.fence, commit))
        passing(CrashPoint.AFTER_COMMIT_MODEL)
        self.on_commit()
        self.announcer.committed(committed.seq, Role.ASSISTANT)
        return replace(
            turn,
            messages=(*turn.messages, commit.message),
            calls=tuple(_pending(call, turn.claim.send.id, commit.round) for call in commit.calls),
            rounds=commit.round,
            cancel_requested=committed.cancel_requested,
            steering=committed.steering,
        )

    async def _ask_first(self, turn: Turn, calls: Sequence[ToolCall]) -> tuple[Turn, Sequence[ToolCall]]:
        """What a person has to allow, and the calls that may run."""
        allowed, waits = [], []
        for call in calls:
            question = await self.toolbox.approval(turn.agent, turn.claim.send, call)
            if question is None:
                allowed.append(call)
            else:
                waits.append(ToolWait(call_id=call.id, wait=question))
        return waiting(turn, tuple(waits)), allowed

    async def _close_ended(self, turn: Turn, done: Iterable[asyncio.Task[None]]) -> Turn:
        """Tell, and commit, how calls ended. Not told by themselves: a call may outlive its send."""
        for task in done:
            task.result()
        turn, self._waits = waiting(turn, tuple(self._waits)), []
        outcomes = tuple(self._ended.values())
        if not outcomes:
            return turn
        calls = {call.id: call for call in turn.calls}
        for outcome in outcomes:
            self.announcer.tool_finished(calls[outcome.call_id], outcome)
        turn = await self.close_calls(turn, outcomes)
        # Others may have ended meanwhile: they are for the next commit.
        for outcome in outcomes:
            del self._ended[outcome.call_id]
        return turn

    async def _run_call(self, turn: Turn, call: ToolCall, malformed: str) -> None:
        self.announcer.tool_started(call)
        self._running.add(call.id)
        passing(CrashPoint.BEFORE_TOOL)
        came_to = await self.toolbox.call(turn.agent, turn.claim.send, call, malformed)
        passing(CrashPoint.AFTER_TOOL)
        self._running.discard(call.id)
        match came_to:
            case ToolOutcome():
                self._ended[call.id] = _telling_of_edits(turn, call, came_to)
            case ToolWait():
                self._waits.append(came_to)


def _pending(call: NewToolCall, send_id: SendId, number: int) -> ToolCall:
    """The call as commit A wrote it."""
    return ToolCall(
        id=call.id,
        send_id=send_id,
        round=number,
        index=call.index,
        name=call.name,
        arguments=call.arguments,
        effect=call.effect,
        status=CallStatus.PENDING,
        result=None,
        full_result=None,
        started_at=None,
        ended_at=None,
    )


def _asked_for(turn: Turn) -> dict[CallId, ToolCallBlock]:
    """The calls as the model wrote them."""
    answer = next((message for message in reversed(turn.messages) if message.role is Role.ASSISTANT), None)
    return {block.id: block for block in calls_of(answer.content)} if answer else {}


def _telling_of_edits(turn: Turn, call: ToolCall, outcome: ToolOutcome) -> ToolOutcome:
    """The outcome; the model is told first if a person changed what it had asked for."""
    block = _asked_for(turn).get(call.id)
    if not call.approved or block is None or block.arguments == call.arguments:
        return outcome
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return replace(outcome, text=f"[A person changed the arguments to {arguments}]\n{outcome.text}")


async def _cut_off(tasks: Iterable[asyncio.Task[Any]]) -> None:
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
