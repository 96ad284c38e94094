"""The wrapper that turns whatever a tool raises into an outcome that the model can read."""

import logging

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.errors import ToolError, ToolRaised, ToolTimeout
from powerloop.kernel.waits import ToolWait
from powerloop.tools.cancellation import pass_on_cancel
from powerloop.tools.doubt import doubt_about
from powerloop.tools.invocation import Invocation, Step

logger = logging.getLogger(__name__)


async def reported(invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
    """Carry the call out; what is raised becomes a `FAILED` outcome, unless the call is being cancelled.

    A `ToolError` is shown to the model as it stands. Anything else is a defect of the tool: it is logged with
    its traceback, and the model is told its type and message. So are `SystemExit` and `KeyboardInterrupt`: a
    tool must not end the worker, which hears of signals by other ways.
    """
    try:
        return await then(invocation)
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises is the model's to know
        pass_on_cancel(error)
        text = _told(invocation, error)
    return ToolOutcome(call_id=invocation.context.call_id, status=CallStatus.FAILED, text=text)


def _told(invocation: Invocation, error: BaseException) -> str:
    """What the model is told of the error, which is logged."""
    match error:
        case ToolRaised():
            logger.error("tool result refused", extra=invocation.log_fields, exc_info=error)
            return str(error)
        case ToolError():
            level = logging.WARNING if isinstance(error, ToolTimeout) else logging.INFO
            logger.log(level, "tool call failed", extra={**invocation.log_fields, "code": error.code})
            return str(error)
        case _:
            logger.error("tool raised", extra=invocation.log_fields, exc_info=error)
            what = f"{invocation.spec.name} raised {_described(error)}."
            return str(ToolRaised(what, hint=doubt_about(invocation.spec.effect)))


def _described(error: BaseException) -> str:
    """The error's type and message; those of its members, where it is a group."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_described(member) for member in error.exceptions)
    try:
        message = str(error).strip().rstrip(".")
    except Exception:  # noqa: BLE001 - an error that cannot be told is still told by its type
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
