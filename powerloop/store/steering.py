"""Sends that steer: how they become part of one that runs."""

from powerloop.kernel.ports.journal import Merged
from powerloop.kernel.sends import Fence, Send
from powerloop.kernel.sessions import Session
from powerloop.store.database import Run


async def merge(run: Run, session: Session, send: Send, fence: Fence) -> Merged:
    """Merge the sends behind this one that steer, as `Journal.merge` says."""
    raise NotImplementedError
