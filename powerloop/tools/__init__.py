"""Tools: functions that an agent can call, and the toolbox that calls them."""

from powerloop.tools.decorator import tool
from powerloop.tools.function import FunctionTool
from powerloop.tools.schema_tool import schema_tool
from powerloop.tools.toolbox import AgentToolbox

__all__ = ["AgentToolbox", "FunctionTool", "schema_tool", "tool"]
