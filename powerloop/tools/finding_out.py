"""Finding out what became of a call: asking the probe of its tool."""

import asyncio
import logging
from datetime import timedelta

from powerloop.kernel.calls import Finding
from powerloop.tools.cancellation import pass_on_cancel
from powerloop.tools.function import FunctionTool
from powerloop.tools.invocation import Invocation
from powerloop.tools.threads import ToolThreads
from powerloop.tools.timed import starting

logger = logging.getLogger(__name__)

#: For the probe of a tool that may take as long as it likes. The send waits, and so does its session.
DEFAULT_TIMEOUT = timedelta(seconds=30)


async def find_out(invocation: Invocation, threads: ToolThreads) -> Finding:
    """What the probe says; nobody knows where there is none, or where it raises or takes too long."""
    tool = invocation.tool
    if not isinstance(tool, FunctionTool) or (probe := tool.probed_by) is None:
        return Finding.unknown()
    try:
        async with asyncio.timeout(None) as limit:
            return await probe.ask(
                invocation.context,
                tool.check(invocation.arguments),
                threads,
                begun=starting(limit, invocation.spec.timeout or DEFAULT_TIMEOUT),
                log_fields=invocation.log_fields,
            )
    except BaseException as error:
        pass_on_cancel(error)
        logger.error("tool probe failed", extra=invocation.log_fields, exc_info=error)
    return Finding.unknown()
