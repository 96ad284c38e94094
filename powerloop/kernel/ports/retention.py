"""Retention: what has been over for long enough to be removed, found in batches."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from powerloop.kernel.ids import SessionId


class Retention(Protocol):
    """Finds and removes what nobody needs any more. Every method may raise `StoreUnavailable`."""

    async def sessions_at_rest(self, age: timedelta, limit: int) -> Sequence[SessionId]:
        """Sessions in which nothing has happened for `age`: all their sends have ended, no timer of theirs
        is live, and they are no sub-agents that are bound to another session.

        A call looks at the next `limit` sessions, the oldest first, and begins again after the last.
        """
        ...

    async def forget_timers(self, age: timedelta, limit: int) -> int:
        """Remove timers that became final more than `age` ago, at most `limit`; how many."""
        ...

    async def forget_firings(self, age: timedelta, limit: int) -> int:
        """Remove what became of ticks more than `age` ago, but for those that are held back; at most `limit`;
        how many."""
        ...
