"""Durable LLM agents as background jobs on Celery, Redis and Postgres.

The public face. What is not listed here may change in any release.
"""

from powerloop.client.blocking import BlockingSendHandle, PowerLoop
from powerloop.client.handles import SendHandle, SendResult
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import Effect, Finding
from powerloop.kernel.errors import (
    Fenced,
    InvalidInput,
    ModelError,
    PowerLoopError,
    ResultTimeout,
    ToolError,
    Unavailable,
    WrongUse,
)
from powerloop.kernel.events import Event
from powerloop.kernel.interactions import Interaction
from powerloop.kernel.messages import (
    ImageBlock,
    Message,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Cancellation, Send, SendError, SendStatus, StopReason
from powerloop.kernel.sessions import Session, SessionStatus
from powerloop.kernel.timers import Timer
from powerloop.kernel.tools import Tool, ToolContext
from powerloop.kernel.usage import Usage
from powerloop.tools import schema_tool, tool

__all__ = [
    "Agent",
    "AsyncPowerLoop",
    "BlockingSendHandle",
    "Cancellation",
    "Effect",
    "Event",
    "Fenced",
    "Finding",
    "ImageBlock",
    "Interaction",
    "InvalidInput",
    "Message",
    "ModelError",
    "ModelSettings",
    "Policy",
    "PowerLoop",
    "PowerLoopError",
    "ReasoningBlock",
    "ResultTimeout",
    "Role",
    "Send",
    "SendError",
    "SendHandle",
    "SendResult",
    "SendStatus",
    "Session",
    "SessionStatus",
    "StopReason",
    "TextBlock",
    "Timer",
    "Tool",
    "ToolCallBlock",
    "ToolContext",
    "ToolError",
    "ToolResultBlock",
    "Unavailable",
    "Usage",
    "WrongUse",
    "schema_tool",
    "tool",
]
