"""Tools: functions that an agent can call, those that come with it, and the toolbox that calls them."""

from powerloop.kernel.waits import Question, Sleep, Spawn
from powerloop.tools.agent_spec import AgentSpec
from powerloop.tools.builtin.ask_user import ask_user
from powerloop.tools.builtin.sleep import sleep
from powerloop.tools.builtin.spawn_agent import spawn_agent
from powerloop.tools.builtin.wakeups import cancel_wakeup, list_wakeups, schedule_wakeup
from powerloop.tools.decorator import tool
from powerloop.tools.function import FunctionTool
from powerloop.tools.schema_tool import schema_tool
from powerloop.tools.toolbox import AgentToolbox

__all__ = [
    "AgentSpec",
    "AgentToolbox",
    "FunctionTool",
    "Question",
    "Sleep",
    "Spawn",
    "ask_user",
    "cancel_wakeup",
    "list_wakeups",
    "schedule_wakeup",
    "schema_tool",
    "sleep",
    "spawn_agent",
    "tool",
]
