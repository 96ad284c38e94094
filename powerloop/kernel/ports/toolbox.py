"""The toolbox: how the executor has a tool call carried out."""

from typing import Protocol

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Finding, ToolCall, ToolOutcome
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import Send
from powerloop.kernel.waits import Question, ToolWait


class Toolbox(Protocol):
    """Carries out tool calls of an agent: validation, timeout, threads, caps."""

    async def call(
        self, agent: Agent, send: Send, call: ToolCall, malformed: str = ""
    ) -> ToolOutcome | ToolWait:
        """Run the call to its end, or to what it waits for. One that is to run elsewhere (`queue_of`) waits
        for that, if there is nothing wrong with it.

        An unknown tool, arguments that do not match the schema, a tool that raises or takes too long: each is
        a `FAILED` outcome whose text tells the model what to do about it. Only cancellation raises.

        Args:
            agent: Whose tools.
            send: For whom.
            call: What the model asked for.
            malformed: What the model wrote where its arguments were not a JSON object.
        """
        ...

    def queue_of(self, agent: Agent, call: ToolCall) -> QueueName | None:
        """Where the call is to run; `None`: here."""
        ...

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> Question | None:
        """What a person is to be asked before the call runs; `None`: nothing.

        Nobody is asked of a call that a person has approved, or that is refused anyway.
        """
        ...

    async def probe(self, agent: Agent, send: Send, call: ToolCall) -> Finding:
        """Ask the outside world what became of a `ONCE` call whose process died.

        `Finding.unknown` where the tool has no probe, or where it raises or takes too long. Only cancellation
        raises.
        """
        ...
