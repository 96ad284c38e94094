"""Tool calls as models write them: ids may be missing or used twice, arguments may not be JSON."""

import json
from dataclasses import dataclass
from uuid import uuid4

from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import ToolCallBlock


@dataclass(slots=True, kw_only=True)
class WrittenCall:
    """A tool call while the model writes it."""

    id: str = ""
    name: str = ""
    #: JSON, as far as it has come.
    arguments: str = ""


def block_of(call: WrittenCall) -> ToolCallBlock:
    """The call as a block. An id that is missing is made up; one that is used twice is the kernel's."""
    call_id = CallId(call.id or f"call_{uuid4().hex}")
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        return ToolCallBlock(id=call_id, name=call.name, arguments={}, malformed=call.arguments)
    return ToolCallBlock(id=call_id, name=call.name, arguments=arguments)
