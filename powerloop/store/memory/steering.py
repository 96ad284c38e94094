"""Sends that steer: how they become part of one that runs, in memory."""

from powerloop.kernel.ports.journal import Merged
from powerloop.kernel.sends import Fence, Send
from powerloop.kernel.sessions import Session
from powerloop.store.memory.state import State


def merge(state: State, session: Session, send: Send, fence: Fence) -> Merged:
    """Merge the sends behind this one that steer, as `Journal.merge` says."""
    raise NotImplementedError
