"""Toolboxes for tests of what has tools called: one that follows a script, one that remembers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, Finding, ToolCall, ToolOutcome
from powerloop.kernel.errors import ToolArgumentsInvalid, ToolError, ToolRaised, ToolUnknown
from powerloop.kernel.ports.toolbox import Toolbox
from powerloop.kernel.sends import Send
from powerloop.kernel.waits import Question, ToolWait, Wait

#: What a scripted tool does: returns the text, or what its call waits for; raises the error; or whatever the
#: function does.
Answer: TypeAlias = str | Wait | Exception | Callable[[ToolCall], Awaitable[str | Wait]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call of a toolbox, as it came in."""

    agent: Agent
    send: Send
    call: ToolCall
    malformed: str = ""


class ScriptedToolbox:
    """A `Toolbox` that answers by the name of the tool and runs none: no check, thread, timeout or cap.

    Args:
        answers: What each tool does. It may be changed at any time.
        default: What the agent's other tools do.
        findings: What the probes of tools find out. It may be changed at any time; of the other tools nobody
            knows.
        approvals: What people are asked before calls of a tool run. It may be changed at any time.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        default: Answer = "done",
        findings: Mapping[str, Finding] | None = None,
        approvals: Mapping[str, Question] | None = None,
    ) -> None:
        self.answers = dict(answers or {})
        self.default = default
        self.findings = dict(findings or {})
        self.approvals = dict(approvals or {})
        #: Every call, in the order in which they began.
        self.asked: list[Asked] = []
        #: Every call that was asked about, in the order in which they were.
        self.probed: list[Asked] = []

    async def call(
        self, agent: Agent, send: Send, call: ToolCall, malformed: str = ""
    ) -> ToolOutcome | ToolWait:
        self.asked.append(Asked(agent=agent, send=send, call=call, malformed=malformed))
        try:
            result = await self._answer(agent, call, malformed)
        except ToolError as error:
            return ToolOutcome(call_id=call.id, status=CallStatus.FAILED, text=str(error))
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the send goes on
            raised = ToolRaised(f"{call.name} raised {type(error).__name__}: {error}")
            return ToolOutcome(call_id=call.id, status=CallStatus.FAILED, text=str(raised))
        if isinstance(result, str):
            return ToolOutcome(call_id=call.id, status=CallStatus.DONE, text=result)
        return ToolWait(call_id=call.id, wait=result)

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> Question | None:
        del send
        known = call.name in {tool.spec.name for tool in agent.tools}
        return self.approvals.get(call.name) if known and not call.approved else None

    async def probe(self, agent: Agent, send: Send, call: ToolCall) -> Finding:
        self.probed.append(Asked(agent=agent, send=send, call=call))
        return self.findings.get(call.name, Finding.unknown())

    async def _answer(self, agent: Agent, call: ToolCall, malformed: str) -> str | Wait:
        known = {tool.spec.name for tool in agent.tools}
        if call.name not in known:
            raise ToolUnknown(call.name, known)
        if malformed:
            raise ToolArgumentsInvalid(f"{malformed!r} is not a JSON object.")
        answer = self.answers.get(call.name, self.default)
        if isinstance(answer, Exception):
            raise answer
        return await answer(call) if callable(answer) else answer


class RecordingToolbox:
    """A `Toolbox` that passes each call on and remembers it, and how it ended."""

    def __init__(self, inner: Toolbox) -> None:
        self._inner = inner
        #: Every call, in the order in which they began.
        self.asked: list[Asked] = []
        #: How calls ended, in the order in which they did; a cancelled one has no outcome.
        self.outcomes: list[ToolOutcome] = []
        #: What calls came to wait for, in the order in which they did.
        self.waits: list[ToolWait] = []
        #: Every call that was asked about, in the order in which they were.
        self.probed: list[Asked] = []

    async def call(
        self, agent: Agent, send: Send, call: ToolCall, malformed: str = ""
    ) -> ToolOutcome | ToolWait:
        self.asked.append(Asked(agent=agent, send=send, call=call, malformed=malformed))
        came_to = await self._inner.call(agent, send, call, malformed)
        if isinstance(came_to, ToolOutcome):
            self.outcomes.append(came_to)
        else:
            self.waits.append(came_to)
        return came_to

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> Question | None:
        return await self._inner.approval(agent, send, call)

    async def probe(self, agent: Agent, send: Send, call: ToolCall) -> Finding:
        self.probed.append(Asked(agent=agent, send=send, call=call))
        return await self._inner.probe(agent, send, call)
