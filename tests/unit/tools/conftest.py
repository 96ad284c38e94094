"""What the tests of tools share: one call of one tool, carried out by a toolbox."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.tools import Tool, ToolContext
from powerloop.testing.factories import make_agent, make_call, make_send
from powerloop.tools import AgentToolbox

Run = Callable[..., Awaitable[ToolOutcome]]


@pytest.fixture
def toolbox() -> AgentToolbox:
    return AgentToolbox()


@pytest.fixture
def run(toolbox: AgentToolbox) -> Run:
    """``await run(tool, arguments)``: how the call ended."""

    async def run(
        tool: Tool,
        arguments: Mapping[str, Any] | None = None,
        *,
        malformed: str = "",
        box: AgentToolbox = toolbox,
        deps: Any = None,
    ) -> ToolOutcome:
        agent = replace(make_agent(tools=(tool,)), deps=deps)
        call = replace(make_call(name=tool.spec.name), arguments=arguments or {})
        return await box.call(agent, make_send(), call, malformed)

    return run


@pytest.fixture
def context() -> ToolContext[None]:
    return ToolContext(
        session_id=SessionId("session-1"),
        send_id=SendId("send-1"),
        call_id=CallId("call-1"),
        agent="support",
        idempotency_key="send-1:call-1",
        attempt=1,
        deps=None,
    )
