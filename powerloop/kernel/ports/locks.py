"""The session lock: who may try to drive a session. Fast, and only a filter: the epoch is the guarantee."""

from collections.abc import Callable
from typing import Protocol

from powerloop.kernel.ids import SessionId


class HeldLock(Protocol):
    """A lock that is ours until it is released or lost."""

    async def release(self) -> None:
        """Give it back, if it is still ours; twice is once.

        Never raises: a lock that cannot be released runs out by itself.
        """
        ...


class SessionLocks(Protocol):
    """Mutual exclusion over sessions, across processes."""

    async def acquire(self, session_id: SessionId, on_lost: Callable[[], None]) -> HeldLock | None:
        """Take the session's lock, without waiting; `None` if another holder has it.

        Held locks are renewed in the background. `on_lost` is called, once and on the caller's event loop,
        when somebody else turns out to hold the lock. The lock's service being away is no loss: the epoch
        still guards every write, so the caller then gets a lock that excludes nobody until the service is
        back.
        """
        ...
