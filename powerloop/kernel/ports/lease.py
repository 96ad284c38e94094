"""The worker lease: who is alive, by the database's clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from powerloop.kernel.ids import Epoch, SendId, SessionId, WorkerId
from powerloop.kernel.queues import Lane
from powerloop.kernel.tool_tasks import HeldTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A running send, as its owner's row in the database has it."""

    send_id: SendId
    session_id: SessionId
    epoch: Epoch
    cancel_requested: bool


class Leases(Protocol):
    """One row per worker process.

    Blocking: it is used from a thread of its own, which a stalled loop cannot stall. Every method but `close`
    raises `StoreUnavailable` if the database did not answer.
    """

    def renew(self, worker: WorkerId, ttl: timedelta) -> None:
        """Be alive for `ttl` from now, by the database's clock; the first call makes the row."""
        ...

    def held(self, worker: WorkerId) -> Sequence[Held]:
        """The sends that run under this worker."""
        ...

    def held_tasks(self, worker: WorkerId) -> Sequence[HeldTask]:
        """The tool tasks that run under this worker, and those that did until they were cancelled, not long
        ago."""
        ...

    def raise_marks(self, marks: Mapping[Lane, datetime]) -> None:
        """Record, per lane, how far it was taken: the time of dispatch of the latest row that was claimed. A
        mark never falls."""
        ...

    def release(self, worker: WorkerId) -> None:
        """Be dead at once, so that others need not wait for the lease to run out."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
