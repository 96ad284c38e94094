"""The executor's side of the store, on Postgres."""

from collections.abc import Iterable, Sequence
from typing import Any

from powerloop.kernel.budgets import Reservation, Spending
from powerloop.kernel.calls import ToolCall, ToolOutcome
from powerloop.kernel.codec import content_to_json
from powerloop.kernel.errors import Fenced
from powerloop.kernel.ids import CallId, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.limits import Budget
from powerloop.kernel.messages import Message, NewMessage
from powerloop.kernel.ports.journal import Committed, Ending, Finished, Merged, ModelCommit, ResultsCommit
from powerloop.kernel.sends import Claim, Fence, Lineage, Send
from powerloop.kernel.suspension import Suspended, Suspension
from powerloop.kernel.usage import ModelCallEntry
from powerloop.kernel.workflows import RunAdvance
from powerloop.store.advancing import advance_session
from powerloop.store.database import Database, Row
from powerloop.store.encoding import encode, encode_content
from powerloop.store.heads import is_head
from powerloop.store.inputs import cleaned_error, session_name
from powerloop.store.ledger import last_round, total_usage
from powerloop.store.portable.journal import PortableJournal
from powerloop.store.postgres import statements
from powerloop.store.postgres.acceptance import PostgresAcceptance
from powerloop.store.rows import (
    call_of,
    entry_row,
    messages_of,
    new_call_row,
    outcome_row,
    send_of,
    usage_row,
)


class PostgresJournal:
    """The `Journal` port: one statement, one round trip for each method of a send that does not wait.

    What is rare, to wait and all that belongs to sub-agents and to budgets, is done as on any database.
    """

    def __init__(self, database: Database, acceptance: PostgresAcceptance, portable: PortableJournal) -> None:
        self._database = database
        self._acceptance = acceptance
        self._portable = portable

    async def find_send(self, send_id: SendId) -> Send | None:
        return await self._acceptance.find(send_id)

    async def is_head(self, send: Send) -> bool:
        return await is_head(self._database, send)

    async def claim(self, send: Send, worker: WorkerId) -> Claim | None:
        parameters = {"id": send.id, "session_id": send.session_id, "worker": worker}
        rows = await self._database.fetch(statements.CLAIM, parameters)
        if not rows:
            return None
        claimed = send_of(rows[0])
        fence = Fence(session_id=claimed.session_id, send_id=claimed.id, epoch=claimed.epoch)
        return Claim(send=claimed, fence=fence, seq=rows[0]["seq"], steering=rows[0]["steering"])

    async def load_window(self, session_id: SessionId, send_id: SendId | None = None) -> Sequence[Message]:
        parameters = {"session_id": session_name(session_id), "send_id": send_id}
        rows = await self._database.fetch_read(statements.LOAD_WINDOW, parameters)
        return messages_of(rows)

    async def load_calls(self, send_id: SendId) -> Sequence[ToolCall]:
        rows = await self._database.fetch_read(statements.LOAD_CALLS, {"send_id": clean_text(send_id)})
        return [call_of(row) for row in rows]

    async def commit_model(self, fence: Fence, commit: ModelCommit) -> Committed:
        if fence.budgets:
            return await self._portable.commit_model(fence, commit)
        row = await self._write(
            statements.COMMIT_MODEL,
            fence,
            round=commit.round,
            role=commit.message.role.value,
            content=encode_content(commit.message.content),
            metadata=encode(commit.message.metadata),
            calls=encode([new_call_row(call) for call in commit.calls]),
            **_bill(commit.entries),
        )
        return _committed(row)

    async def reserve(self, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
        return await self._portable.reserve(fence, budget, wanted)

    async def start_calls(self, fence: Fence, call_ids: Sequence[CallId]) -> None:
        await self._write(statements.START_CALLS, fence, call_ids=[clean_text(name) for name in call_ids])

    async def commit_results(self, fence: Fence, commit: ResultsCommit) -> Committed:
        row = await self._write(
            statements.COMMIT_RESULTS,
            fence,
            messages=_encode_messages([commit.message] if commit.message else []),
            outcomes=_encode_outcomes(commit.outcomes),
        )
        return _committed(row)

    async def suspend(self, fence: Fence, suspension: Suspension) -> Suspended:
        return await self._portable.suspend(fence, suspension)

    async def merge(self, fence: Fence) -> Merged:
        return await self._portable.merge(fence)

    async def finish(self, fence: Fence, ending: Ending, lineage: Lineage | None = None) -> Finished:
        leaf = lineage.leaf if lineage else None
        if (lineage and not leaf) or fence.budgets or ending.outcomes:
            return await self._portable.finish(fence, ending, lineage)
        error = cleaned_error(ending.error)
        row = await self._write(
            statements.FINISH,
            fence,
            status=ending.status.value,
            stop_reason=ending.stop_reason and ending.stop_reason.value,
            error_code=error and error.code,
            error_message=error and error.message,
            output=encode_content(ending.output),
            rounds=ending.rounds,
            last_round=last_round(ending),
            messages=_encode_messages(ending.messages),
            node_id=leaf and leaf.node_id,
            **_bill(ending.entries),
        )
        landed = RunAdvance(run_id=row["landed_run"]) if row["landed_run"] else None
        return Finished(seq=Seq(row["last_seq"]), next_head=await self._next_head(fence, row), parent=landed)

    async def hand_over(self, fence: Fence) -> Send:
        return send_of(await self._write(statements.HAND_OVER, fence))

    async def _write(self, statement: bytes, fence: Fence, **parameters: object) -> Row:
        """Run a fenced statement.

        Raises:
            Fenced: it returned no row.
        """
        parameters |= {"session_id": fence.session_id, "send_id": fence.send_id, "epoch": fence.epoch}
        rows = await self._database.fetch(statement, parameters)
        if not rows:
            raise Fenced
        return rows[0]

    async def _next_head(self, fence: Fence, row: Row) -> Send | None:
        if not row["has_next"]:
            return None
        if row["id"] is not None:
            return send_of(row)
        return await advance_session(self._database, fence.session_id)


def _committed(row: Row) -> Committed:
    return Committed(seq=Seq(row["seq"]), cancel_requested=row["cancel_requested"], steering=row["steering"])


def _bill(entries: tuple[ModelCallEntry, ...]) -> dict[str, Any]:
    return {"entries": encode([entry_row(entry) for entry in entries]), **usage_row(total_usage(entries))}


def _encode_messages(messages: Iterable[NewMessage]) -> str:
    return encode(
        [
            {"role": m.role.value, "content": content_to_json(m.content), "metadata": m.metadata}
            for m in messages
        ]
    )


def _encode_outcomes(outcomes: Iterable[ToolOutcome]) -> str:
    return encode([outcome_row(outcome) for outcome in outcomes])
