"""The executor of tool tasks: find → admit → claim → probe or run → conclude → publish."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.calls import CallStatus, Effect, ToolCall, ToolOutcome, Verdict
from powerloop.kernel.cancellation import current_task, to_its_end
from powerloop.kernel.carrying import CallRunner, cut_off, telling_of_edits
from powerloop.kernel.clock import Clock
from powerloop.kernel.crash_points import CrashPoint, passing
from powerloop.kernel.dispatch import Ready, activation_of
from powerloop.kernel.driving import Outcome
from powerloop.kernel.errors import Fenced, PowerLoopError, StoreUnavailable
from powerloop.kernel.hooks import Hooks
from powerloop.kernel.ids import Seq, TaskId, WorkerId
from powerloop.kernel.marks import Marks
from powerloop.kernel.patience import once_stored
from powerloop.kernel.ports.dispatcher import Dispatcher
from powerloop.kernel.ports.tool_tasks import TaskRecovery, ToolTasks
from powerloop.kernel.ports.toolbox import Toolbox
from powerloop.kernel.quarantine import Quarantine
from powerloop.kernel.sends import Claim, Fence
from powerloop.kernel.subagents import narrowed
from powerloop.kernel.suspending import doubting, refused_spawns, suspension_of, waiting
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.tool_tasks import HeldTask, TaskClaim
from powerloop.kernel.turn import Turn

logger = logging.getLogger("powerloop.executor")

T = TypeVar("T")

POISON_NOTE = "Given up: the process that ran it died, {count} times in a row."


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPorts:
    """What runs of tool tasks work with."""

    worker: WorkerId
    agents: AgentRegistry
    tasks: ToolTasks
    recovery: TaskRecovery
    #: One that carries out every call in place.
    toolbox: Toolbox
    dispatcher: Dispatcher
    clock: Clock
    marks: Marks
    #: Shared with the sends of the process.
    quarantine: Quarantine
    #: A task that was claimed so often, each time by a process that died, is given up at its next claim.
    max_attempts: int


@dataclass(slots=True)
class _Run:
    """A task that this process runs now."""

    task: "asyncio.Task[object]"
    #: That of the claim; 0 before it.
    attempt: int = 0
    #: It is somebody else's, or nobody's: nothing more may be written.
    lost: bool = False

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.task.cancel()


@dataclass(slots=True)
class _Silent:
    """Hears that calls begin, and tells nobody: the stream of a send bears the numbers of one process."""

    def tool_started(self, call: ToolCall) -> None:
        """The send's own process has told it."""


@dataclass(slots=True)
class ToolExecutor:
    """Runs tool tasks, any number at once, on one event loop."""

    ports: TaskPorts
    _runs: dict[TaskId, _Run] = field(default_factory=dict)
    _draining: bool = False
    _giving_back: "asyncio.Task[None] | None" = None

    @property
    def running(self) -> int:
        """How many tasks run here."""
        return len(self._runs)

    def begin_drain(self) -> None:
        """From now on, do not wait for a store that is away."""
        self._draining = True

    def abandon(self) -> None:
        """Stop every run at once, without a write: this process could not prove that it is alive."""
        for run in self._runs.values():
            run.lose()

    def reconcile(self, held: Sequence[HeldTask]) -> None:
        """Compare what the database says this process runs with what it runs.

        Runs that nobody waits for are cut off; what nobody drives is given back.
        """
        orphans = []
        for one in held:
            run = self._runs.get(one.task_id)
            if run is None and not one.cancelled:
                orphans.append(one)
            elif run is not None and one.cancelled and run.attempt == one.attempt:
                run.lose()
        if orphans and self._giving_back is None:
            self._giving_back = asyncio.create_task(self._give_back(orphans))

    async def drive(self, task_id: TaskId) -> Outcome:
        """Run the task, unless that is not ours to do. Safe to call for any id, any number of times.

        Raises:
            asyncio.CancelledError: it was cancelled from outside; the task was handed over first.
            StoreUnavailable: the store went away, and this process shuts down.
        """
        if task_id in self._runs:
            return Outcome.NOT_OURS
        run = self._runs[task_id] = _Run(current_task())
        try:
            return await self._patiently(lambda: self._attempt(task_id, run), task_id)
        except asyncio.CancelledError:
            if not run.lost:
                raise
            run.task.uncancel()
            logger.warning("tool task cut off", extra={"task_id": task_id})
            return Outcome.LOST
        finally:
            del self._runs[task_id]

    async def _attempt(self, task_id: TaskId, run: _Run) -> Outcome:
        task = await self.ports.tasks.find(task_id)
        if task is None or task.status.is_final:
            return Outcome.NOT_OURS
        async with self.ports.quarantine.admit(task) as on_commit:
            passing(CrashPoint.BEFORE_TASK_CLAIM)
            claim = await self.ports.tasks.claim(task, self.ports.worker)
            if claim is None:
                return Outcome.NOT_OURS
            passing(CrashPoint.AFTER_TASK_CLAIM)
            run.attempt = claim.task.attempt
            self.ports.marks.note(task)
            try:
                await self._carry_out(claim)
            except Fenced:
                logger.warning("tool task fenced", extra={"task_id": task_id})
                return Outcome.LOST
            except asyncio.CancelledError:
                if not run.lost:
                    await to_its_end(self._hand_over(claim))
                raise
            on_commit()
            return Outcome.ENDED

    async def _carry_out(self, claim: TaskClaim) -> None:
        try:
            came_to = await self._came_to(claim)
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            logger.exception("tool task failed on a defect", extra={"task_id": claim.task.id})
            came_to = _failed(claim, f"Not run to its end: {type(error).__name__}: {error}")
        await to_its_end(self._conclude(claim, came_to))

    async def _came_to(self, claim: TaskClaim) -> ToolOutcome | Suspension:
        """How the call ends, or what it waits for now."""
        # As the claim counted it, under the lock of the row: the row that was read before may be older.
        in_doubt = claim.task.attempt > 1 and claim.call.effect is Effect.ONCE
        if claim.task.strikes > self.ports.max_attempts:
            logger.error("tool task is poison", extra={"task_id": claim.task.id})
            note = POISON_NOTE.format(count=claim.task.strikes - 1)
            return _doubted(claim) if in_doubt else _failed(claim, note)
        try:
            agent = narrowed(self.ports.agents, claim.send)
        except PowerLoopError as error:
            return _doubted(claim) if in_doubt else _failed(claim, f"Not run: {error}")
        call = replace(claim.call, arguments=claim.task.arguments)
        turn, runner = _turn(agent, claim), self._runner(agent, claim)
        if in_doubt:
            found = (await runner.probe(turn, (call,)))[call.id]
            if found.verdict is Verdict.DONE:
                return ToolOutcome(call_id=call.id, status=CallStatus.DONE, text=found.text)
            if found.verdict is Verdict.UNKNOWN:
                return _doubted(claim)
        return await self._run(runner, turn, call, edited=claim.task.edited)

    async def _run(
        self, runner: CallRunner, turn: Turn, call: ToolCall, *, edited: bool
    ) -> ToolOutcome | Suspension:
        """Run the call, as it is to be run; the turn has it as the journal does."""
        running = runner.start(turn, (call,))
        try:
            # Not awaited one by one, which would wait for a tool that does not heed its cancellation.
            await asyncio.wait(running)
        finally:
            await cut_off(one for one in running if not one.done())
        for one in running:
            one.result()
        if runner.waits:
            turn = waiting(turn, tuple(runner.waits))
            return next(iter(refused_spawns(turn)), None) or suspension_of(turn)
        outcome = runner.ended[call.id]
        return telling_of_edits(turn.calls[0], outcome) if edited else outcome

    def _runner(self, agent: Agent, claim: TaskClaim) -> CallRunner:
        hooks = Hooks(agent.hooks, claim.send, agent.deps)
        return CallRunner(toolbox=self.ports.toolbox, announcer=_Silent(), hooks=hooks)

    async def _conclude(self, claim: TaskClaim, came_to: ToolOutcome | Suspension) -> None:
        """Write it down, as soon as the store can be written to: the call has had its effect."""
        passing(CrashPoint.BEFORE_TASK_CONCLUDE)
        try:
            ready = await self._written(claim, came_to)
        except (Fenced, StoreUnavailable):
            raise
        except PowerLoopError as error:
            logger.exception("tool task not concluded", extra={"task_id": claim.task.id})
            text = f"It was run, but what it came to could not be written down: {error}"
            ready = await self._written(claim, _failed(claim, text))
        passing(CrashPoint.AFTER_TASK_CONCLUDE)
        await self.ports.dispatcher.publish([activation_of(one) for one in ready])

    async def _written(self, claim: TaskClaim, came_to: ToolOutcome | Suspension) -> Sequence[Ready]:
        return await self._patiently(lambda: self.ports.tasks.conclude(claim, came_to), claim.task.id)

    async def _hand_over(self, claim: TaskClaim) -> None:
        """Give back a task whose run is being cancelled from outside, if that is still ours to do."""
        try:
            task = await self.ports.tasks.hand_over(claim)
        except (Fenced, StoreUnavailable) as error:
            logger.warning("tool task not handed over", extra={"task_id": claim.task.id, "error": str(error)})
        else:
            await self.ports.dispatcher.publish([activation_of(task)])

    async def _patiently(self, work: Callable[[], Awaitable[T]], task_id: TaskId) -> T:
        return await once_stored(
            work, self.ports.clock, give_up=lambda: self._draining, log_fields={"task_id": task_id}
        )

    async def _give_back(self, orphans: Sequence[HeldTask]) -> None:
        try:
            given = await self.ports.recovery.give_back(orphans)
            await self.ports.dispatcher.publish([activation_of(task) for task in given])
        except StoreUnavailable as error:
            logger.warning("tool tasks not given back", extra={"error": str(error)})
        finally:
            self._giving_back = None


def _turn(agent: Agent, claim: TaskClaim) -> Turn:
    """The send at the one call: what a hook, a wait or a sub-agent of the call has to know of it."""
    send = replace(claim.send, attempt=claim.task.attempt)
    return Turn(
        agent=agent,
        claim=Claim(send=send, fence=_fence(claim), seq=Seq(0)),
        messages=(),
        calls=(claim.call,),
        rounds=send.rounds,
    )


def _fence(claim: TaskClaim) -> Fence:
    """The claim of the send that put the call on its queue: what questions about the call are named by."""
    send = claim.send
    return Fence(session_id=send.session_id, send_id=send.id, epoch=send.epoch)


def _doubted(claim: TaskClaim) -> Suspension:
    return doubting(_fence(claim), claim.call)


def _failed(claim: TaskClaim, text: str) -> ToolOutcome:
    return ToolOutcome(call_id=claim.call.id, status=CallStatus.FAILED, text=text)
