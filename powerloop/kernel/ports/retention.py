"""Retention: what has been over for long enough to be removed, found in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from powerloop.kernel.ids import SessionId


@dataclass(frozen=True, slots=True)
class AtRest:
    """What one look at the next sessions found."""

    #: Those in which nothing seems to be under way, or to have happened for long.
    ids: Sequence[SessionId]
    #: Whether these were the last ones: the next look begins with the oldest again.
    is_last: bool


class Retention(Protocol):
    """Finds and removes what nobody needs any more. Every method may raise `StoreUnavailable`."""

    async def sessions_at_rest(self, age: timedelta, limit: int) -> AtRest:
        """Look at the next `limit` sessions that are bound to no other, the oldest first."""
        ...

    async def forget_session(self, session_id: SessionId, age: timedelta) -> bool:
        """Remove the session, and those that are bound to it, if in none of them anything has happened for
        `age`, all their sends have ended, and no timer of theirs is live; whether it did. Judged under the
        locks of all of them."""
        ...

    async def forget_timers(self, age: timedelta, limit: int) -> int:
        """Remove timers that became final more than `age` ago, at most `limit`; how many."""
        ...

    async def forget_firings(self, age: timedelta, limit: int) -> int:
        """Remove what became of ticks more than `age` ago, the oldest first, at most `limit`; how many.

        Of live timers the last sends stay, by which failures in a row are counted, and what is held back.
        """
        ...
