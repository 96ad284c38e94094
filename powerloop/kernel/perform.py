"""Carrying out one step of a send: the model call, the tool calls, and the commit that follows each."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from powerloop.kernel.announce import Announcer
from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolCall, ToolOutcome, Verdict
from powerloop.kernel.cancellation import uninterrupted
from powerloop.kernel.carrying import CallRunner, cut_off
from powerloop.kernel.clock import Clock
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.decide import CallModel, settle
from powerloop.kernel.draft import Draft
from powerloop.kernel.endings import CutOff, close, last_answer, out_of_budget, results_message
from powerloop.kernel.errors import ModelDeadline
from powerloop.kernel.hooks import Hooks
from powerloop.kernel.ids import SendId, Seq
from powerloop.kernel.messages import Role
from powerloop.kernel.ports.journal import Ending, Journal, Merged, ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import ModelReply, Models
from powerloop.kernel.sends import Fence, StopReason
from powerloop.kernel.spending import Admitted, Purse
from powerloop.kernel.suspending import waiting, without_closed
from powerloop.kernel.turn import Turn
from powerloop.kernel.usage import ModelCallEntry

_AFTER_VERDICT = {Verdict.NOT_DONE: CallStatus.PENDING, Verdict.UNKNOWN: CallStatus.IN_DOUBT}

CommitT = TypeVar("CommitT", ModelCommit, ResultsCommit, Ending)


@dataclass(slots=True, kw_only=True)
class Performer:
    """Carries out the steps of one claim of one send, and knows what it is at.

    No commit is cut off by a cancellation: see `uninterrupted`.
    """

    journal: Journal
    models: Models
    purse: Purse
    runner: CallRunner
    announcer: Announcer
    clock: Clock
    #: Called when a step of the send is written.
    on_commit: Callable[[], None]
    #: How calls ended that an earlier claim of this process could not write down.
    untold: tuple[ToolOutcome, ...] = ()
    _draft: Draft | None = None

    @property
    def hooks(self) -> Hooks:
        """The hooks of the send's agent."""
        return self.runner.hooks

    @hooks.setter
    def hooks(self, hooks: Hooks) -> None:
        self.runner.hooks = hooks

    @property
    def cut_off(self) -> CutOff:
        """What it is at."""
        return CutOff(
            running=frozenset(self.runner.running),
            ended=(*self.untold, *self.runner.ended.values()),
            text=self._draft.written if self._draft else "",
            entries=(self._draft.entry(),) if self._draft else (),
        )

    async def call_model(self, turn: Turn, step: CallModel) -> Turn | Ending:
        """Ask the model; commit its answer if it asks for calls (commit A), else say how the send ends."""
        number, hooks = step.round, self.hooks
        messages = await hooks.round_start(number, step.request.messages)
        request = await hooks.before_model(number, replace(step.request, messages=messages))
        admitted = await self.purse.admit(turn, request)
        if admitted is None:
            return _spent(turn)
        self.announcer.round_started(number)
        reply = await self._respond(turn, admitted)
        if isinstance(reply, Ending):
            return reply
        reply = await hooks.after_model(number, admitted.request, reply)
        self._draft = None
        match settle(turn, reply):
            case Ending() as ending:
                ending = _told_of_budget(ending, admitted)
                await hooks.round_end(number, ending.output)
                return await hooks.before_commit(number, ending)
            case ModelCommit() as commit:
                return await self._commit_model(turn, await hooks.before_commit(number, commit))

    async def _respond(self, turn: Turn, admitted: Admitted) -> ModelReply | Ending:
        """What the model answers; how the send ends, if the time of its budget is over before that."""
        request = admitted.request
        model = self.models.get(turn.agent.model)
        self._draft = Draft(request, self.announcer, self.clock, self.models)
        passing(CrashPoint.BEFORE_MODEL)
        try:
            reply = await model.respond(request, self._draft)
        except ModelDeadline as error:
            if not admitted.is_hurried:
                raise
            self._draft = None
            self.announcer.rewind()
            return _spent(turn, error.attempts)
        passing(CrashPoint.AFTER_MODEL)
        return reply

    async def run_calls(self, turn: Turn, calls: Sequence[ToolCall]) -> Turn:
        """Run the calls at the same time; commit each as it ends (commit B), those that end together in one
        write. The last commit of the round tells the model. Calls that a person has to allow do not run."""
        admitted = await self.runner.admit(turn, calls)
        if once := [call.id for call in admitted if self._must_be_written_ahead(turn, call)]:
            await uninterrupted(self.journal.start_calls(turn.claim.fence, once))
            passing(CrashPoint.AFTER_START_CALLS)
        running = self.runner.start(turn, admitted)
        try:
            turn = await self._close_ended(turn, ())
            while running:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                turn = await self._close_ended(turn, done)
        finally:
            await cut_off(running)
        return turn

    def _must_be_written_ahead(self, turn: Turn, call: ToolCall) -> bool:
        """Whether a call begins here that must not begin twice."""
        return call.effect is Effect.ONCE and self.runner.toolbox.queue_of(turn.agent, call) is None

    async def merge(self, turn: Turn) -> Turn:
        """Take in the sends that steer this one: their inputs are the next user messages."""
        passing(CrashPoint.BEFORE_MERGE)
        merged = await uninterrupted(self._merge(turn.claim.fence))
        passing(CrashPoint.AFTER_MERGE)
        self.on_commit()
        return replace(
            turn,
            messages=(*turn.messages, *merged.messages),
            steering=False,
            cancel_requested=merged.cancel_requested,
        )

    async def _merge(self, fence: Fence) -> Merged:
        """Merge, and tell whoever waits for those sends, also where this one is cut off by now: nobody else
        will."""
        merged = await self.journal.merge(fence)
        self.announcer.merged(merged.sends)
        for behind in reversed(range(len(merged.messages))):
            self.announcer.committed(Seq(merged.seq - behind), Role.USER)
        return merged

    async def close_untold(self, turn: Turn) -> Turn:
        """Commit how calls ended that an earlier claim could not write down: they need not run again."""
        still_open = {call.id for call in turn.calls if not call.status.is_final}
        outcomes = [outcome for outcome in self.untold if outcome.call_id in still_open]
        return await self.close_calls(turn, outcomes) if outcomes else turn

    async def probe_calls(self, turn: Turn, calls: Sequence[ToolCall]) -> Turn:
        """Find out what became of calls whose process died: done, to be run, or in doubt."""
        passing(CrashPoint.BEFORE_PROBE)
        found = await self.runner.probe(turn, calls)
        passing(CrashPoint.AFTER_PROBE)
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
        number = turn.calls[0].round
        commit = ResultsCommit(outcomes=tuple(outcomes), message=message)
        commit = await self.hooks.before_commit(number, commit)
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
        await self.hooks.round_end(number, turn.messages[-1].content, calls)
        return replace(turn, calls=(), messages=(*turn.messages, commit.message or message))

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

    async def _close_ended(self, turn: Turn, done: Iterable["asyncio.Task[None]"]) -> Turn:
        """Tell, and commit, how calls ended. Not told by themselves: a call may outlive its send."""
        for task in done:
            task.result()
        runner = self.runner
        turn, runner.waits = waiting(turn, tuple(runner.waits)), []
        outcomes = tuple(runner.ended.values())
        if not outcomes:
            return turn
        calls = {call.id: call for call in turn.calls}
        for outcome in outcomes:
            self.announcer.tool_finished(calls[outcome.call_id], outcome)
        turn = await self.close_calls(turn, outcomes)
        # Others may have ended meanwhile: they are for the next commit.
        for outcome in outcomes:
            del runner.ended[outcome.call_id]
        return turn


def _spent(turn: Turn, entries: tuple[ModelCallEntry, ...] = ()) -> Ending:
    """The end of a send whose budget is used up."""
    return out_of_budget(rounds=turn.rounds, output=last_answer(turn.messages), entries=entries)


def _told_of_budget(ending: Ending, admitted: Admitted) -> Ending:
    """The ending; where the answer was cut off at what the budget had left, it says so."""
    cut_off = ending.stop_reason is StopReason.OUTPUT_LIMIT and admitted.is_short
    return replace(ending, stop_reason=StopReason.BUDGET) if cut_off else ending


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
