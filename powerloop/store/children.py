"""The sends of sub-agents: how they start, and what their end does to their parents."""

from collections.abc import Sequence

from powerloop.kernel.ids import SendId
from powerloop.kernel.ports.journal import Suspension
from powerloop.kernel.sends import Send
from powerloop.store.database import Run


async def start_children(run: Run, send: Send, suspension: Suspension) -> tuple[Send, ...]:
    """Start the sub-agents that calls of the send ask for, as `Journal.suspend` says; their sends."""
    if suspension.children:
        raise NotImplementedError
    return ()


async def tell_parent(run: Run, child: Send) -> Send | None:
    """Take the result of a sub-agent that has just ended to its parent, as `Journal.finish` says.

    Returns what is to be published: the parent's send if it waits for nothing more, or the send that takes
    the result there if it is the head of its session.
    """
    raise NotImplementedError


async def bound_to(run: Run, send_id: SendId) -> Sequence[Send]:
    """As `Sends.bound_to`."""
    raise NotImplementedError
