"""The ledger of model calls, in memory."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC

from powerloop.kernel.ids import SendId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.ports.usage import UsageQuery
from powerloop.kernel.usage import UsageGroup, UsageReport, UsageRow
from powerloop.store.inputs import send_name, session_name
from powerloop.store.ledger import in_order, total_of
from powerloop.store.memory.state import LedgerRow, State


class MemoryUsage:
    """The `UsageLedger` port over `State`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def report(self, query: UsageQuery) -> UsageReport:
        asked = self._asked(query)
        total = total_of(row.entry for row in asked)
        if query.by is None:
            return UsageReport(total=total)
        groups: dict[str, list[LedgerRow]] = defaultdict(list)
        for row in asked:
            groups[self._key(query.by, row)].append(row)
        rows = [
            UsageRow(key=key, total=total_of(row.entry for row in group)) for key, group in groups.items()
        ]
        return UsageReport(total=total, rows=in_order(rows, query.by)[: max(query.limit, 0)])

    def _asked(self, query: UsageQuery) -> Sequence[LedgerRow]:
        tree = self._tree(query)
        return [
            row
            for row in self._state.ledger
            if (tree is None or row.send_id in tree)
            and (query.agent is None or self._state.sends[row.send_id].agent == clean_text(query.agent))
            and (query.since is None or row.created_at >= query.since)
            and (query.until is None or row.created_at < query.until)
        ]

    def _tree(self, query: UsageQuery) -> set[SendId] | None:
        """The sends that are asked for, and those of the sub-agents below them; `None`: all."""
        if query.session_id is None and query.send_id is None:
            return None
        sends = self._state.sends.values()
        tree = {
            send.id
            for send in sends
            if (query.session_id is None or send.session_id == session_name(query.session_id))
            and (query.send_id is None or send.id == send_name(query.send_id))
        }
        while below := {s.id for s in sends if s.lineage and s.lineage.send_id in tree} - tree:
            tree |= below
        return tree

    def _key(self, by: UsageGroup, row: LedgerRow) -> str:
        match by:
            case UsageGroup.SESSION:
                return self._state.sends[row.send_id].session_id
            case UsageGroup.SEND:
                return row.send_id
            case UsageGroup.AGENT:
                return self._state.sends[row.send_id].agent
            case UsageGroup.MODEL:
                return row.entry.model
            case UsageGroup.DAY:
                return row.created_at.astimezone(UTC).date().isoformat()
            case UsageGroup.PURPOSE:
                return row.entry.purpose
