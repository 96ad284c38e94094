"""One claim of one send, from the claim to whatever it leaves this process by."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from powerloop.kernel.agents import Agent
from powerloop.kernel.announce import Announcer
from powerloop.kernel.calls import ToolCall
from powerloop.kernel.cancellation import current_task, to_its_end
from powerloop.kernel.carrying import CallRunner
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.decide import (
    CallModel,
    CloseCalls,
    Exit,
    Finish,
    HandOver,
    Merge,
    ProbeCalls,
    RunCalls,
    Suspend,
    awaits_results,
    next_step,
)
from powerloop.kernel.dispatch import activation_of
from powerloop.kernel.driving import Outcome, Ports, Release
from powerloop.kernel.endings import cancelled, failure, last_answer, out_of_budget
from powerloop.kernel.errors import Fenced, HookError, ModelError, PowerLoopError, StoreUnavailable
from powerloop.kernel.hooks import Hooks
from powerloop.kernel.messages import Role
from powerloop.kernel.perform import Performer
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.runs import Run
from powerloop.kernel.sends import Claim, Send, SendError
from powerloop.kernel.spending import Purse, charged
from powerloop.kernel.subagents import narrowed
from powerloop.kernel.turn import Turn
from powerloop.kernel.usage import ModelCallEntry

logger = logging.getLogger("powerloop.executor")

POISON_CODE = "send.poison"


class Attempt:
    """Carries out one claim.

    Args:
        ports: What it works with.
        claim: The claim.
        run: What may befall it from outside.
        draining: Whether this process shuts down.
        on_commit: Called when a step of the send is written.
    """

    def __init__(
        self,
        ports: Ports,
        claim: Claim,
        run: Run,
        draining: Callable[[], bool],
        on_commit: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._claim = charged(ports.agents, claim)
        self._run = run
        self._draining = draining
        self._announcer = Announcer(claim.send, ports.events, ports.clock)
        self._performer = Performer(
            journal=ports.journal,
            models=ports.models,
            purse=Purse(ports.journal, ports.models),
            runner=CallRunner(toolbox=ports.toolbox, announcer=self._announcer, hooks=Hooks((), claim.send)),
            announcer=self._announcer,
            clock=ports.clock,
            on_commit=on_commit,
            untold=run.untold,
        )

    async def carry_out(self) -> Release:
        """Go as far as it goes here.

        Raises:
            asyncio.CancelledError: the run was lost, or cancelled from outside and handed over.
            StoreUnavailable: the store went away; the claim may be made anew.
        """
        self._announcer.started(self._ports.worker)
        self._run.claimed = True
        try:
            while True:
                if release := await to_its_end(self._leave(await self._to_its_exit())):
                    return release
        except Fenced:
            logger.warning("send fenced", extra=self.ids)
            return Release(outcome=Outcome.LOST)
        except asyncio.CancelledError:
            if self._run.lost:
                raise
            if self._run.cancelling:
                return await self._cut_off()
            await to_its_end(self._give_back())
            raise
        finally:
            self._run.claimed = False
            self._run.untold = self._performer.cut_off.ended

    @property
    def ids(self) -> dict[str, object]:
        """What names the claim, as extra fields of a log record."""
        return {
            "session_id": self._claim.send.session_id,
            "send_id": self._claim.send.id,
            "attempt": self._claim.send.attempt,
            "epoch": self._claim.fence.epoch,
        }

    async def _to_its_exit(self) -> Exit:
        """Step by step to whatever the send leaves this process by."""
        send = self._claim.send
        try:
            if (send.cancel or self._run.cancelling) and (finish := await self._asked_to_end()):
                return finish
            if send.strikes > self._ports.max_attempts:
                return await self._poisoned()
            turn = await self._load()
            if turn.messages[-1].role is Role.USER:
                self._announcer.committed(self._claim.seq, Role.USER)
            return await self._walk(turn)
        except (Fenced, StoreUnavailable):
            raise
        except PowerLoopError as error:
            logger.warning("send failed", extra={**self.ids, "code": error.code})
            entries = error.attempts if isinstance(error, ModelError | HookError) else ()
            return await self._failed(SendError(code=error.code, message=str(error)), entries)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and current_task().cancelling():
                raise
            # A cancellation that nobody asked for is an error like any other: the model's library raised it.
            logger.exception("send failed on a defect", extra=self.ids)
            return await self._failed(SendError(code="internal", message=f"{type(error).__name__}: {error}"))

    async def _walk(self, turn: Turn) -> Exit:
        performer = self._performer
        turn = await performer.close_untold(turn)
        while True:
            match next_step(turn, draining=self._draining()):
                case CallModel() as step:
                    answer = await performer.call_model(turn, step)
                    if isinstance(answer, Ending):
                        return Finish(ending=answer)
                    turn = answer
                case RunCalls(calls=calls):
                    turn = await performer.run_calls(turn, calls)
                case ProbeCalls(calls=calls):
                    turn = await performer.probe_calls(turn, calls)
                case CloseCalls(outcomes=outcomes):
                    turn = await performer.close_calls(turn, outcomes)
                case Merge():
                    turn = await performer.merge(turn)
                case (Finish() | Suspend() | HandOver()) as way_out:
                    return way_out
                case unreachable:
                    assert_never(unreachable)

    async def _load(self) -> Turn:
        send = self._claim.send
        agent = await self._with_hooks(narrowed(self._ports.agents, send))
        messages = tuple(await self._ports.journal.load_window(send.session_id, send.id))
        calls = tuple(await self._ports.journal.load_calls(send.id)) if awaits_results(messages) else ()
        return Turn(
            agent=agent,
            claim=self._claim,
            messages=messages,
            calls=calls,
            rounds=send.rounds,
            steering=self._claim.steering,
        )

    async def _with_hooks(self, agent: Agent) -> Agent:
        hooks = self._performer.hooks = Hooks(agent.hooks, self._claim.send, agent.deps)
        instructions = await hooks.session_start(agent.instructions)
        return agent if instructions == agent.instructions else replace(agent, instructions=instructions)

    async def _now(self) -> tuple[Send, tuple[ToolCall, ...]]:
        """The send as it is in the journal, and its calls whose results are not in the log yet."""
        journal, send_id = self._ports.journal, self._claim.send.id
        send = await journal.find_send(send_id)
        if send is None:
            raise Fenced
        untold = awaits_results(await journal.load_window(send.session_id, send_id))
        return send, tuple(await journal.load_calls(send_id)) if untold else ()

    async def _poisoned(self) -> Exit:
        strikes = self._claim.send.strikes - 1
        logger.error("send is poison", extra={**self.ids, "strikes": strikes})
        message = (
            f"{strikes} claims in a row ended without a commit: it may be killing the processes that run it."
        )
        return await self._failed(SendError(code=POISON_CODE, message=message))

    async def _failed(self, error: SendError, entries: tuple[ModelCallEntry, ...] = ()) -> Finish:
        send, calls = await self._now()
        cut = self._performer.cut_off
        return Finish(ending=failure(calls, error, rounds=send.rounds, cut=cut, entries=entries))

    async def _cut_off(self) -> Release:
        """End a send whose end was asked for while it ran here."""
        current_task().uncancel()
        return await to_its_end(self._cancelled())

    async def _cancelled(self) -> Release:
        try:
            # Where nobody asked for it, the nudge was wrong.
            finish = await self._asked_to_end()
            return await (self._finish(finish.ending) if finish else self._hand_over())
        except Fenced:
            return Release(outcome=Outcome.LOST)

    async def _asked_to_end(self) -> Finish | None:
        send, calls = await self._now()
        if send.cancel is None:
            return None
        return Finish(ending=cancelled(calls, rounds=send.rounds, cut=self._performer.cut_off))

    async def _leave(self, way_out: Exit) -> Release | None:
        """Leave this process; `None`: the send stays, for it has nothing to wait for."""
        match way_out:
            case Finish(ending=ending):
                return await self._finish(ending)
            case Suspend():
                return await self._suspend(way_out)
            case HandOver():
                return await self._hand_over()
        assert_never(way_out)

    async def _finish(self, ending: Ending) -> Release:
        passing(CrashPoint.BEFORE_FINISH)
        finished = await self._ports.journal.finish(self._claim.fence, ending, self._claim.send.lineage)
        passing(CrashPoint.AFTER_FINISH)
        if ending.messages:
            self._announcer.committed(finished.seq, ending.messages[-1].role)
        self._announcer.ended(ending)
        await self._performer.hooks.session_end(ending)
        return Release(outcome=Outcome.ENDED, publish=finished.ready)

    async def _suspend(self, step: Suspend) -> Release | None:
        passing(CrashPoint.BEFORE_SUSPEND)
        suspended = await self._ports.journal.suspend(self._claim.fence, step.suspension)
        passing(CrashPoint.AFTER_SUSPEND)
        if suspended.cancel_requested:
            return await self._cancelled()
        if suspended.out_of_time:
            return await self._finish(await self._out_of_time())
        self._announcer.suspended(step.suspension.interactions, waiting=suspended.waiting)
        if suspended.waiting:
            return Release(outcome=Outcome.WAITING, publish=suspended.started)
        await self._ports.dispatcher.publish([activation_of(ready) for ready in suspended.started])
        await self._go_on()
        return None

    async def _out_of_time(self) -> Ending:
        """The end of a send that was to wait, and whose budget has no time left for it."""
        send, calls = await self._now()
        messages = await self._ports.journal.load_window(send.session_id, send.id)
        return out_of_budget(rounds=send.rounds, output=last_answer(messages), calls=calls)

    async def _go_on(self) -> None:
        """Take up the send where the journal has it."""
        send, _ = await self._now()
        self._claim = replace(self._claim, send=send)

    async def _hand_over(self) -> Release:
        passing(CrashPoint.BEFORE_HAND_OVER)
        send = await self._ports.journal.hand_over(self._claim.fence)
        passing(CrashPoint.AFTER_HAND_OVER)
        self._announcer.handed_over()
        return Release(outcome=Outcome.HANDED_OVER, publish=(send,))

    async def _give_back(self) -> None:
        """Hand over a send whose task is being cancelled from outside, if that is still ours to do."""
        try:
            release = await self._hand_over()
        except (Fenced, StoreUnavailable) as error:
            logger.warning("send not handed over", extra={**self.ids, "error": str(error)})
        else:
            await publish(self._ports, release)


async def publish(ports: Ports, release: Release) -> None:
    """Tell the world: a worker of what is ready, readers of what was emitted."""
    if release.publish:
        passing(CrashPoint.BEFORE_PUBLISH)
        await ports.dispatcher.publish([activation_of(ready) for ready in release.publish])
        passing(CrashPoint.AFTER_PUBLISH)
    if release.outcome is not Outcome.NOT_OURS:
        await ports.events.flush()
