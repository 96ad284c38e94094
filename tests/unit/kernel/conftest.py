"""An executor over doubles: the store in memory, a model that plays a list, tools that are functions."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from inspect import signature
from typing import Any

import pytest

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.calls import CallStatus, Effect, Finding, ToolCall, ToolOutcome
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.dispatch import Activation
from powerloop.kernel.driving import Ports
from powerloop.kernel.events import Event
from powerloop.kernel.executor import Executor
from powerloop.kernel.ids import CallId, SendId, SessionId, WorkerId
from powerloop.kernel.limits import Budget
from powerloop.kernel.marks import Marks
from powerloop.kernel.messages import TextBlock, ToolCallBlock
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.queues import Lane, QueueName, lanes_of
from powerloop.kernel.sends import Cancellation, NewSend, Send
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.tools import ToolSpec
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.kernel.waits import Question, Queued, Sleep, Spawn, ToolWait, Wait
from powerloop.store.memory import MemoryLeases, MemoryStore
from powerloop.testing.factories import make_agent


def entry() -> ModelCallEntry:
    usage = Usage(input_tokens=10, output_tokens=5)
    return ModelCallEntry(
        model="fake:m", usage=usage, outcome=CallOutcome.OK, latency=timedelta(milliseconds=3)
    )


def says(text: str, finish: FinishReason = FinishReason.STOP) -> ModelReply:
    usage = Usage(input_tokens=10, output_tokens=5)
    return ModelReply(content=(TextBlock(text=text),), finish=finish, usage=usage, attempts=(entry(),))


def asks(*calls: tuple[str, str]) -> ModelReply:
    content = tuple(ToolCallBlock(id=CallId(call_id), name=name, arguments={}) for call_id, name in calls)
    return ModelReply(
        content=content, finish=FinishReason.TOOL_CALLS, usage=Usage(input_tokens=10), attempts=(entry(),)
    )


async def hang(*_: Any) -> Any:
    """Wait for what never comes: as a model's answer, or as a tool."""
    await asyncio.Event().wait()


def writes(text: str) -> Callable[..., Awaitable[ModelReply]]:
    """An answer that writes `text`, and then nothing more."""

    async def answer(deltas: Any) -> ModelReply:
        deltas.text(text)
        return await hang()

    return answer


def returns(text: str) -> Callable[[ToolCall], Awaitable[str]]:
    """A tool that always says the same."""

    async def function(call: ToolCall) -> str:
        return text

    return function


class NamedTool:
    """A tool that only the toolbox below carries out."""

    def __init__(self, name: str, effect: Effect = Effect.READ, *, concurrent: bool = True) -> None:
        self.spec = ToolSpec(
            name=name, description="", parameters={"type": "object"}, effect=effect, concurrent=concurrent
        )

    async def call(self, context: Any, arguments: Any) -> str:
        raise NotImplementedError


@dataclass
class PlayedModel:
    """Answers from a list: a reply, an error to raise, or a coroutine function to await."""

    answers: list[Any] = field(default_factory=list)
    requests: list[ModelRequest] = field(default_factory=list)

    def get(self, name: str) -> "PlayedModel":
        return self

    def cost_of(self, name: str, usage: Usage) -> Decimal:
        """A cent for every token."""
        return usage.total_tokens * Decimal("0.01")

    async def respond(self, request: ModelRequest, deltas: Any = None) -> ModelReply:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        reply: ModelReply = await _play(answer, deltas) if callable(answer) else answer
        if deltas:
            for block in reply.content:
                if isinstance(block, TextBlock):
                    deltas.text(block.text)
        return reply

    async def close(self) -> None:
        pass


async def _play(answer: Any, deltas: Any) -> ModelReply:
    """What the answer returns, which may want to write deltas first."""
    reply: ModelReply = await (answer(deltas) if signature(answer).parameters.get("deltas") else answer())
    return reply


@dataclass
class FunctionToolbox:
    """Carries out calls with functions by name; a call of any other fails."""

    functions: dict[str, Callable[[ToolCall], Awaitable[str | Wait]]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    #: What probes find out, by the tool's name; nothing where there is none.
    findings: dict[str, Finding] = field(default_factory=dict)
    probed: list[str] = field(default_factory=list)
    #: Where calls run that do not run here, by the tool's name.
    queues: dict[str, QueueName] = field(default_factory=dict)
    #: What people are asked before calls run, by the tool's name.
    approvals: dict[str, Question] = field(default_factory=dict)

    async def call(
        self, agent: Agent, send: Send, call: ToolCall, malformed: str = ""
    ) -> ToolOutcome | ToolWait:
        if queue := self.queues.get(call.name):
            return ToolWait(call_id=call.id, wait=Queued(queue=queue, arguments=dict(call.arguments)))
        self.called.append(call.id)
        text = await self.functions[call.name](call)
        if isinstance(text, Question | Spawn | Sleep):
            return ToolWait(call_id=call.id, wait=text)
        return ToolOutcome(call_id=call.id, status=CallStatus.DONE, text=text)

    def queue_of(self, agent: Agent, call: ToolCall) -> QueueName | None:
        return self.queues.get(call.name)

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> Question | None:
        return self.approvals.get(call.name) if not call.approved else None

    async def probe(self, agent: Agent, send: Send, call: ToolCall) -> Finding:
        self.probed.append(call.id)
        return self.findings.get(call.name, Finding.unknown())


class FreeLocks:
    """Locks that may be taken by anyone whose session is not in `held`."""

    def __init__(self) -> None:
        self.held: set[SessionId] = set()
        self.on_lost: dict[SessionId, Callable[[], None]] = {}

    async def acquire(self, session_id: SessionId, on_lost: Callable[[], None]) -> "FreeLocks | None":
        self.on_lost[session_id] = on_lost
        return None if session_id in self.held else self

    async def release(self) -> None:
        pass


@dataclass
class Recorder:
    """Keeps what is emitted and what is published."""

    events: list[Event] = field(default_factory=list)
    published: list[Activation] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    async def flush(self) -> None:
        pass

    async def publish(self, activations: Sequence[Activation]) -> bool:
        self.published.extend(activations)
        return True

    async def backlog(self, queues: Collection[QueueName]) -> dict[Lane, int]:
        return dict.fromkeys(lanes_of(*queues), 0)

    async def close(self) -> None:
        pass

    def types(self) -> list[str]:
        return [event.type for event in self.events]


class House:
    """An executor and everything around it."""

    worker = WorkerId("worker-1")

    def __init__(self, *agents: Agent) -> None:
        self.store = MemoryStore()
        self.leases = MemoryLeases(self.store)
        self.model = PlayedModel()
        self.toolbox = FunctionToolbox()
        self.locks = FreeLocks()
        self.recorder = Recorder()
        self.agents = AgentRegistry(agents)
        self.marks = Marks()

    def executor(self, worker: WorkerId | None = None, *, max_attempts: int = 5) -> Executor:
        return Executor(
            Ports(
                worker=worker or self.worker,
                agents=self.agents,
                journal=self.store.journal,
                recovery=self.store.recovery,
                locks=self.locks,
                models=self.model,
                toolbox=self.toolbox,
                events=self.recorder,
                dispatcher=self.recorder,
                clock=SystemClock(),
                marks=self.marks,
                max_attempts=max_attempts,
            )
        )

    async def accept(self, text: str = "hello", *, id: str = "send-1", session: str = "session-1") -> SendId:
        await self.store.sessions.ensure(NewSession(id=SessionId(session), agent="support"))
        new = NewSend(id=SendId(id), session_id=SessionId(session), content=(TextBlock(text=text),))
        return (await self.store.sends.accept(new)).send.id

    async def send(self, send_id: SendId) -> Send:
        send = await self.store.sends.find(send_id)
        assert send is not None
        return send

    async def cancel(self, send_id: SendId, executor: Executor | None = None) -> Cancellation:
        """Ask for the end of the send, and have the executor hear of it."""
        cancellation = await self.store.sends.cancel(send_id, reason="no longer needed", actor="ada")
        if executor:
            executor.cancel(send_id)
        return cancellation

    async def log(self, session: str = "session-1") -> list[str]:
        """The session's messages as `role: text or calls`."""
        messages = await self.store.sessions.messages(SessionId(session))
        return [f"{message.role}: {_shown(message.content)}" for message in messages]


def _shown(content: Any) -> str:
    return " ".join(getattr(block, "text", "") or getattr(block, "name", "") for block in content)


@pytest.fixture
def house() -> Callable[..., House]:
    """Builds a house for the agents that it is given."""
    return House


@pytest.fixture
def script() -> Any:
    """The words for scripting a model: `says`, `asks`, and a tool by name."""

    class Script:
        says = staticmethod(says)
        asks = staticmethod(asks)
        tool = NamedTool
        hang = staticmethod(hang)
        writes = staticmethod(writes)
        returns = staticmethod(returns)

    return Script


@pytest.fixture
def limited(house: Callable[..., House]) -> Callable[..., House]:
    """Builds a house whose agent has a budget, and two tools: one answers, the other asks a person."""

    def build(settings: ModelSettings | None = None, **limits: Any) -> House:
        agent = make_agent(tools=(NamedTool("find"), NamedTool("ask")))
        here = house(replace(agent, budget=Budget(**limits), settings=settings or ModelSettings()))

        async def ask(call: ToolCall) -> Question:
            return Question(prompt="Which size?")

        here.toolbox.functions.update(find=returns("A-17"), ask=ask)
        return here

    return build
