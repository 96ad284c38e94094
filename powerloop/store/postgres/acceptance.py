"""Accepting sends on Postgres."""

from typing import Any

from powerloop.kernel.codec import budget_to_json
from powerloop.kernel.errors import RowRefused
from powerloop.kernel.ids import SendId
from powerloop.kernel.sends import Accepted, NewSend, Send
from powerloop.store.acceptance import TAKEN
from powerloop.store.database import Database, Row
from powerloop.store.encoding import encode, encode_content
from powerloop.store.inputs import checked_send, send_name
from powerloop.store.portable.acceptance import PortableAcceptance
from powerloop.store.postgres import statements
from powerloop.store.rows import send_of


class PostgresAcceptance:
    """Accepts and finds sends in one round trip each.

    What the statement does not take, a send told again or one that finds its session busy and is not to wait,
    is done as on any database.
    """

    def __init__(self, database: Database, portable: PortableAcceptance) -> None:
        self._database = database
        self._portable = portable

    async def accept(self, new: NewSend) -> Accepted:
        new = checked_send(new)
        row = await self._added(new)
        if row is None:
            return await self._portable.accept(new)
        return Accepted(send=send_of(row), created=True, is_head=row["is_head"])

    async def find(self, send_id: SendId) -> Send | None:
        rows = await self._database.fetch_read(statements.FIND_SEND, {"id": send_name(send_id)})
        return send_of(rows[0]) if rows else None

    async def _added(self, new: NewSend) -> Row | None:
        try:
            rows = await self._database.fetch(statements.ACCEPT, _parameters(new))
        except RowRefused as refused:
            if refused.constraint in TAKEN:
                return None
            raise
        return rows[0] if rows else None


def _parameters(new: NewSend) -> dict[str, Any]:
    return {
        "id": new.id,
        "session_id": new.session_id,
        "policy": new.policy and new.policy.value,
        "content": encode_content(new.content),
        "idempotency_key": new.idempotency_key,
        "priority": new.priority,
        "metadata": encode(new.metadata),
        "budget": new.budget and encode(budget_to_json(new.budget)),
    }
