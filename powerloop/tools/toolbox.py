"""The toolbox of an agent: finds the tool of a call, and carries the call out."""

from dataclasses import replace
from functools import partial
from typing import Any

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, Finding, ToolCall, ToolOutcome
from powerloop.kernel.errors import ToolUnknown
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import Send
from powerloop.kernel.tools import RunReader, ToolContext, Wakeups
from powerloop.kernel.waits import Question, ToolWait
from powerloop.tools.asking import question_about
from powerloop.tools.capped import DEFAULT_RESULT_CAP, Capped
from powerloop.tools.finding_out import find_out
from powerloop.tools.function import FunctionTool
from powerloop.tools.invocation import Invocation, Step, Wrapper
from powerloop.tools.queued import queued
from powerloop.tools.reported import reported
from powerloop.tools.results import as_result
from powerloop.tools.threads import DEFAULT_LIMIT, ToolThreads
from powerloop.tools.timed import timed
from powerloop.tools.validated import Validated
from powerloop.tools.waiting import checked_wait


class AgentToolbox:
    """A `Toolbox` of the tools that each agent has. One serves a whole process.

    Args:
        threads: How many blocking tools run at the same time; more wait for their turn.
        result_cap: The most characters of a result that the model sees; the whole is kept beside it.
        in_place: Whether calls of tools that have a queue of their own run here all the same: since this is
            who serves it, or the only process there is.
        runs: Looks at runs of workflows, for tools that do.
        wakeups: Wakes sessions later, for tools that have it do so.
    """

    def __init__(
        self,
        *,
        threads: int = DEFAULT_LIMIT,
        result_cap: int = DEFAULT_RESULT_CAP,
        in_place: bool = False,
        runs: RunReader | None = None,
        wakeups: Wakeups | None = None,
    ) -> None:
        self._runs = runs
        self._wakeups = wakeups
        self._threads = ToolThreads(threads)
        self._validated = Validated()
        #: What happens around each call, from the outside in.
        wrappers: tuple[Wrapper, ...] = (
            Capped(result_cap),
            reported,
            self._validated,
            *(() if in_place else (queued,)),
            timed,
        )
        self._in_place = in_place
        self._carry_out: Step = self._perform
        for wrapper in reversed(wrappers):
            self._carry_out = partial(wrapper, then=self._carry_out)

    async def call(
        self, agent: Agent, send: Send, call: ToolCall, malformed: str = ""
    ) -> ToolOutcome | ToolWait:
        invocation = self._invocation(agent, send, call, malformed)
        if invocation is None:
            text = str(ToolUnknown(call.name, [tool.spec.name for tool in agent.tools]))
            return ToolOutcome(call_id=call.id, status=CallStatus.FAILED, text=text)
        return await self._carry_out(invocation)

    def queue_of(self, agent: Agent, call: ToolCall) -> QueueName | None:
        if self._in_place:
            return None
        return next((tool.spec.queue for tool in agent.tools if tool.spec.name == call.name), None)

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> Question | None:
        invocation = None if call.approved else self._invocation(agent, send, call)
        if invocation is None or (approval := invocation.spec.approval) is None:
            return None
        return await question_about(invocation, approval, self._validated, self._threads)

    async def probe(self, agent: Agent, send: Send, call: ToolCall) -> Finding:
        invocation = self._invocation(agent, send, call)
        return await find_out(invocation, self._threads) if invocation else Finding.unknown()

    async def _perform(self, invocation: Invocation) -> ToolOutcome | ToolWait:
        """The innermost step: the tool itself."""
        tool, context, bound = invocation.tool, invocation.context, invocation.bound
        if isinstance(tool, FunctionTool):
            result = await tool.routine.run(
                context, bound, self._threads, begun=invocation.begun, log_fields=invocation.log_fields
            )
        else:
            invocation.begun()
            result = as_result(await tool.call(context, *bound.args))
        if isinstance(result, str):
            return ToolOutcome(call_id=context.call_id, status=CallStatus.DONE, text=result)
        return ToolWait(call_id=context.call_id, wait=checked_wait(result))

    def _invocation(self, agent: Agent, send: Send, call: ToolCall, malformed: str = "") -> Invocation | None:
        """The call with its tool; `None` if the agent has no such tool, or none any more."""
        for tool in agent.tools:
            spec = tool.spec
            if spec.name == call.name:
                context = replace(_context(agent, send, call), runs=self._runs, wakeups=self._wakeups)
                return Invocation(
                    tool=tool, spec=spec, context=context, arguments=call.arguments, malformed=malformed
                )
        return None


def _context(agent: Agent, send: Send, call: ToolCall) -> ToolContext[Any]:
    return ToolContext(
        session_id=send.session_id,
        send_id=send.id,
        call_id=call.id,
        agent=agent.name,
        idempotency_key=call.idempotency_key,
        attempt=send.attempt,
        deps=agent.deps,
        metadata=send.metadata,
        tools=tuple(tool.spec.name for tool in agent.tools),
        spec=send.spec,
    )
