"""The model that is none: it asks for the one call that its input describes, and answers with its result.

Sends of it are calls of tools without a model: leaves of workflows, and the runs themselves. It costs
nothing, and leaves nothing in the ledger.
"""

import json
from collections.abc import Mapping
from typing import Any

from powerloop.kernel.errors import CallFailed, ModelRejected
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import Role, TextBlock, ToolCallBlock, ToolResultBlock, text_of
from powerloop.kernel.ports.model import Deltas, FinishReason, ModelReply, ModelRequest
from powerloop.kernel.usage import Usage


class DirectModel:
    """``direct:call``. Its input is JSON: ``{"call": "name of a tool", "arguments": {…}}``."""

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        del deltas  # nothing is written bit by bit
        last = request.messages[-1]
        if last.role is Role.TOOL:
            results = [block for block in last.content if isinstance(block, ToolResultBlock)]
            return _reply(TextBlock(text=_result_of(results[-1])), FinishReason.STOP)
        asked = _asked(text_of(last.content))
        # One call per send: the place of its input in the log tells it from those of other sends.
        call_id = CallId(f"call_{len(request.messages)}")
        call = ToolCallBlock(id=call_id, name=str(asked["call"]), arguments=asked["arguments"])
        return _reply(call, FinishReason.TOOL_CALLS)

    async def close(self) -> None:
        """There is nothing to let go of."""


def _reply(block: TextBlock | ToolCallBlock, finish: FinishReason) -> ModelReply:
    return ModelReply(content=(block,), finish=finish, usage=Usage())


def _asked(text: str) -> Mapping[str, Any]:
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        asked = None
    if (
        not isinstance(asked, Mapping)
        or not isinstance(asked.get("arguments"), Mapping)
        or "call" not in asked
    ):
        raise ModelRejected(
            f"{text!r:.80} does not describe a call.", hint='Write {"call": "name", "arguments": {…}}.'
        )
    return asked


def _result_of(result: ToolResultBlock) -> str:
    """The text of the result.

    Raises:
        CallFailed: the call did.
    """
    if not result.is_error:
        return result.text
    try:
        told = json.loads(result.text)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, Mapping) and {"code", "message"} <= told.keys():
        raise CallFailed(str(told["message"]), code=str(told["code"]))
    raise CallFailed(result.text)
