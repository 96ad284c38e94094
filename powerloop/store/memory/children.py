"""The sends of sub-agents: how they start, and what their end does to their parents, in memory."""

from collections.abc import Sequence

from powerloop.kernel.ids import SendId
from powerloop.kernel.ports.journal import Suspension
from powerloop.kernel.sends import Send
from powerloop.store.memory.state import State


def start_children(state: State, send: Send, suspension: Suspension) -> tuple[Send, ...]:
    """Start the sub-agents that calls of the send ask for, as `Journal.suspend` says; their sends."""
    if suspension.children:
        raise NotImplementedError
    return ()


def tell_parent(state: State, child: Send) -> Send | None:
    """Take the result of a sub-agent that has just ended to its parent, as `Journal.finish` says.

    Returns what is to be published: the parent's send if it waits for nothing more, or the send that takes
    the result there if it is the head of its session.
    """
    raise NotImplementedError


def bound_to(state: State, send_id: SendId) -> Sequence[Send]:
    """As `Sends.bound_to`."""
    raise NotImplementedError
