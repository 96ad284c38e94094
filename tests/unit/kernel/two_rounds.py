"""Doubles for sends of two rounds: the model asks for a tool, then it answers."""

import asyncio
from datetime import timedelta
from typing import Any

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import Role, TextBlock, ToolCallBlock, calls_of
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.sends import Send
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from tests.unit.kernel.transcripts import assert_valid, awaits_result

_USAGE = Usage(input_tokens=10, output_tokens=5)
_ENTRY = ModelCallEntry(
    model="fake:m", usage=_USAGE, outcome=CallOutcome.OK, latency=timedelta(milliseconds=3)
)


class TwoRoundModel:
    """Asks for a tool, and answers when it has the tool's result."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    def get(self, name: str) -> "TwoRoundModel":
        return self

    def cost_of(self, name: str, usage: Usage) -> None:
        """Nothing is known of it."""

    async def respond(self, request: ModelRequest, deltas: Any) -> ModelReply:
        assert_valid(request.messages)
        assert not awaits_result(request.messages)
        assert request.messages[-1].role is not Role.ASSISTANT
        self.requests.append(request)
        call = ToolCallBlock(id=CallId(f"call of {request.send_id}"), name="look", arguments={})
        asked = any(call == one for message in request.messages for one in calls_of(message.content))
        deltas.text("Well, ")
        await asyncio.sleep(0)
        text = TextBlock(text=f"Well, {request.send_id} is done.")
        return ModelReply(
            content=(text,) if asked else (call,),
            finish=FinishReason.STOP if asked else FinishReason.TOOL_CALLS,
            usage=_USAGE,
            attempts=(_ENTRY,),
        )

    async def close(self) -> None:
        pass


class Toolbox:
    """Sees."""

    async def call(self, agent: Agent, send: Send, call: ToolCall, malformed: str = "") -> ToolOutcome:
        await asyncio.sleep(0)
        return ToolOutcome(call_id=call.id, status=CallStatus.DONE, text="seen")

    async def approval(self, agent: Agent, send: Send, call: ToolCall) -> None:
        """Nobody is asked."""
