"""Recovery: what the sweeper finds, and what a process gives back."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Protocol

from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import Send


class Recovery(Protocol):
    """Finds sends that nobody drives, and makes them ready: stamped as dispatched now, to be published.

    Each method is one transaction, by the database's clock, and is safe to call from any number of processes
    at once: rows that another one has just locked are passed over, and no row is returned to two callers.
    Every method may raise `StoreUnavailable`.
    """

    async def reclaim(self, limit: int) -> Sequence[Send]:
        """running under a dead owner → queued. The attempt was used."""
        ...

    async def overtaken(self, margin: timedelta, limit: int) -> Sequence[Send]:
        """Queued heads whose message was lost: one that was dispatched more than `margin` later, in the same
        lane, has been claimed."""
        ...

    async def overdue(self, age: timedelta, lanes: Collection[Lane], limit: int) -> Sequence[Send]:
        """Queued heads of these lanes that were dispatched more than `age` ago.

        For lanes that are known to be empty. Each time that a send is dispatched in vain doubles its age, up
        to 64 times.
        """
        ...

    async def resume(self, limit: int) -> Sequence[Send]:
        """waiting → queued, where no call of the send waits any more, its end was asked for, or the time of
        its budget is over."""
        ...

    async def expire(self, limit: int) -> Sequence[Send]:
        """open → expired, for questions whose time is over: their calls become what `interactions.expire`
        says.

        At most `limit` questions, those first that have waited longest. Returns the sends that waited for
        nothing else: waiting → queued.
        """
        ...

    async def rouse(self, limit: int) -> Sequence[Send]:
        """waiting → done, for calls that sleep until a time that has come.

        At most `limit` calls, those first whose time came first. Returns the sends that waited for nothing
        else: waiting → queued.
        """
        ...

    async def cancel_orphans(self, limit: int) -> Sequence[Send]:
        """Ask for the end of sub-agents that are bound to a send which was cancelled or has failed.

        At most `limit`. Returns those that no process has: waiting → queued, or queued, for a worker to end
        them.
        """
        ...

    async def advance(self, limit: int) -> Sequence[Send]:
        """Move sessions on whose head has ended: what a process that died between two steps left undone."""
        ...

    async def give_back(self, held: Sequence[Held]) -> Sequence[Send]:
        """running → queued, for sends that their owner owns but does not drive.

        One that was claimed anew since (its epoch is another) is left alone. The attempt was used.
        """
        ...

    async def forget_leases(self, age: timedelta) -> int:
        """Delete leases that ran out more than `age` ago; how many."""
        ...

    async def forget_cancels(self, age: timedelta) -> int:
        """Delete cancels that are older than `age`, of sends that nobody has accepted; how many."""
        ...
