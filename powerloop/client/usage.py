"""The verb of the ledger: what model calls used, and what they cost."""

from datetime import datetime

from powerloop.client.choices import chosen
from powerloop.client.verbs import Verbs
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.ports.usage import UsageQuery
from powerloop.kernel.usage import UsageGroup, UsageReport


class UsageVerbs(Verbs):
    """What a producer asks of the ledger."""

    async def usage(
        self,
        *,
        session_id: str | None = None,
        send_id: str | None = None,
        agent: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        by: UsageGroup | str | None = None,
        limit: int = 1000,
    ) -> UsageReport:
        """What model calls used, each attempt counted, failed ones too: tokens, dollars, time.

        Without arguments, of everything; each argument narrows it. The running call of a send is not in it
        before its round is committed.

        Args:
            session_id: Only the calls of this session, and of all the sub-agents below it.
            send_id: Only the calls of this send, and of all the sub-agents below it.
            agent: Only the calls in sessions of this agent, without those of its sub-agents.
            since: Only what was written down then or later; with a time zone.
            until: Only what was written down before then; with a time zone.
            by: A row for each ``session``, ``send``, ``agent``, ``model``, ``day`` (in UTC) or ``purpose``,
                the latest day first, of the others the dearest; `None`: the total only.
            limit: At most so many rows. The total is that of all.

        Raises:
            InvalidInput: there is no such group, or an instant has no time zone.
        """
        for name, instant in (("since", since), ("until", until)):
            if instant is not None and instant.tzinfo is None:
                raise InvalidInput(
                    f"{name} is {instant.isoformat()}, which has no time zone.",
                    hint="Give one: datetime(2026, 1, 31, tzinfo=UTC).",
                )
        return await self._backend.store.usage.report(
            UsageQuery(
                session_id=None if session_id is None else SessionId(session_id),
                send_id=None if send_id is None else SendId(send_id),
                agent=agent,
                since=since,
                until=until,
                by=None if by is None else chosen(UsageGroup, by, "group of usage"),
                limit=limit,
            )
        )
