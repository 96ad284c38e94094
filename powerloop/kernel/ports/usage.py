"""The ledger of model calls, as its readers see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.usage import UsageGroup, UsageReport


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which calls are to be summed; what is `None` narrows nothing."""

    #: The calls of this session's sends, and of all the sub-agents below them.
    session_id: SessionId | None = None
    #: The calls of this send, and of all the sub-agents below it.
    send_id: SendId | None = None
    #: The calls in sessions of this agent, without those of its sub-agents.
    agent: str | None = None
    #: The calls that were written down then or later.
    since: datetime | None = None
    #: The calls that were written down before then.
    until: datetime | None = None
    #: What the report has a row for; `None`: the total only.
    by: UsageGroup | None = None
    #: At most so many rows, the first in their order. The total is that of all.
    limit: int = 1000


class UsageLedger(Protocol):
    """One row per attempt at a model call. It goes when its session is deleted."""

    async def report(self, query: UsageQuery) -> UsageReport:
        """The sums over the calls that `query` asks for; of none, zeros. Total and rows agree: one snapshot.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        ...
