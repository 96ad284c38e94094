"""Stores on a real Postgres, and connections beside them that see and hold what they do not show."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import NewMessage, Role, TextBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import Accepted, Claim, NewSend, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.store import SqlLeases, SqlStore, open_leases, open_store


@dataclass
class Bench:
    """An open store on Postgres, a second connection, and short ways to what tests begin with."""

    url: str
    store: SqlStore
    leases: SqlLeases
    #: A connection that commits each statement, for looking and for holding locks with ``BEGIN``.
    other: psycopg.AsyncConnection[dict[str, Any]]

    async def accept(self, send_id: str, session_id: str = "session", **fields: Any) -> Accepted:
        """Accept a send; its session is made first if need be."""
        await self.store.sessions.ensure(NewSession(id=SessionId(session_id), agent="support"))
        return await self.store.sends.accept(self.new_send(send_id, session_id, **fields))

    def new_send(self, send_id: str, session_id: str = "session", **fields: Any) -> NewSend:
        """A send to be accepted."""
        content = (TextBlock(text="hello"),)
        return NewSend(id=SendId(send_id), session_id=SessionId(session_id), content=content, **fields)

    async def claimed(self, send_id: str, worker: str = "worker") -> Claim:
        """The claim of a new send, by a worker that is alive."""
        accepted = await self.accept(send_id)
        await asyncio.to_thread(self.leases.renew, WorkerId(worker), timedelta(minutes=5))
        claim = await self.store.journal.claim(accepted.send, WorkerId(worker))
        assert claim is not None
        return claim

    def completed(self, text: str = "bye") -> Ending:
        """The end of a send whose model said `text`."""
        message = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text=text),))
        return Ending.completed(StopReason.END_TURN, rounds=1, output=message.content, messages=(message,))

    async def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """What the database holds."""
        return await (await self.other.execute(query, parameters)).fetchall()

    async def is_waiting_for_a_lock(self) -> bool:
        """Whether some statement of the store waits for what `other` holds."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as looking:
            query = (
                "SELECT 1 FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
            )
            return await (await looking.execute(query)).fetchone() is not None


@pytest.fixture
async def store_at() -> AsyncIterator[Callable[..., SqlStore]]:
    """`open_store`, whose stores are closed when the test ends, however it ends."""
    async with AsyncExitStack() as stores:

        def make(url: str, **options: Any) -> SqlStore:
            store = open_store(url, **options)
            stores.push_async_callback(store.close)
            return store

        yield make


@pytest.fixture
async def bench(migrated_postgres_url: str) -> AsyncIterator[Bench]:
    """An open, empty store on Postgres."""
    store, leases = open_store(migrated_postgres_url), open_leases(migrated_postgres_url)
    await store.open()
    other = await psycopg.AsyncConnection.connect(
        migrated_postgres_url, autocommit=True, row_factory=dict_row
    )
    yield Bench(migrated_postgres_url, store, leases, other)
    await other.close()
    await store.close()
    leases.close()


@pytest.fixture
def blocked(bench: Bench, eventually: Callable[..., Any]) -> Callable[..., Any]:
    """``await blocked(task)``: return once the task's statement waits for a lock that `bench.other` holds."""

    async def wait(task: asyncio.Task[Any]) -> None:
        await eventually(bench.is_waiting_for_a_lock, "the statement waits for a lock")
        assert not task.done()

    return wait
