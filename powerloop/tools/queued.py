"""The wrapper that sends calls to the queues of their tools."""

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.waits import Queued, ToolWait
from powerloop.tools.invocation import Invocation, Step


async def queued(invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
    """Have the call wait for a worker of its tool's queue, if there is one; otherwise carry it out.

    Its arguments were checked before: what is refused anyway does not travel.
    """
    queue = invocation.spec.queue
    if queue is None:
        return await then(invocation)
    wait = Queued(queue=queue, arguments=dict(invocation.arguments))
    return ToolWait(call_id=invocation.context.call_id, wait=wait)
