"""The wrapper that ends a call that takes longer than its tool may."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.errors import ToolTimeout
from powerloop.kernel.tools import Tool, ToolSpec
from powerloop.kernel.waits import ToolWait
from powerloop.tools.doubt import doubt_about
from powerloop.tools.function import FunctionTool
from powerloop.tools.invocation import Invocation, Step


async def timed(invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
    """Give the tool the time of its spec, counted from when it begins.

    An async tool is cancelled; the thread of a blocking one is abandoned, for it cannot be stopped. An async
    tool that blocks the event loop cannot be timed.
    """
    timeout = invocation.spec.timeout
    if timeout is None:
        return await then(invocation)
    try:
        async with asyncio.timeout(None) as limit:
            return await then(replace(invocation, begun=starting(limit, timeout)))
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise _timeout(invocation.tool, invocation.spec, timeout.total_seconds()) from error


def starting(limit: asyncio.Timeout, span: timedelta) -> Callable[[], None]:
    """A function that starts the time of the block: it ends `span` after it was called."""
    loop = asyncio.get_running_loop()
    return lambda: limit.reschedule(loop.time() + span.total_seconds())


def _timeout(tool: Tool, spec: ToolSpec, seconds: float) -> ToolTimeout:
    goes_on = isinstance(tool, FunctionTool) and tool.routine.blocking
    fate = "is not waited for any more; it may still be running" if goes_on else "was stopped"
    return ToolTimeout(
        f"{spec.name} took longer than {seconds:g} s and {fate}.", hint=doubt_about(spec.effect)
    )
