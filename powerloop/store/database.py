"""One database, as the repositories use it: statements that commit by themselves, and transactions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias, cast

from psycopg import AsyncConnection as DriverConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from powerloop.kernel.errors import StoreUnavailable
from powerloop.store.engine import Address, async_engine
from powerloop.store.faults import broke_off, worded

Row: TypeAlias = Mapping[str, Any]


class Run(Protocol):
    """Runs one statement; the rows that it returns."""

    async def __call__(self, statement: Executable, rows: Sequence[Row] | None = None) -> Sequence[Row]:
        """Run it.

        Args:
            statement: Whatever it is.
            rows: For an insert: what is to be inserted, beside the values that the statement itself has.
        """
        ...


#: A server that is frozen keeps its connections alive. Our statements take milliseconds.
_ANSWER_WITHIN_S: Final = 30.0


class Database:
    """A pool of connections. Every method raises in the words of `powerloop.kernel.errors`."""

    def __init__(self, address: Address, *, pool_size: int) -> None:
        self.address = address
        self._engine = async_engine(address, pool_size)

    async def fetch(self, statement: bytes, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Run one hand-written statement on Postgres: one round trip, committed by itself.

        The driver is spoken to directly: SQLAlchemy would double the time of a statement that takes 0.3 ms.
        """
        with worded(self.address.where):
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                return await self._fetch(statement, parameters)

    async def fetch_read(self, statement: bytes, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """`fetch` for a statement that only reads: if the connection is cut, once more on another one."""
        return await _twice(lambda: self.fetch(statement, parameters))

    async def write(self, statement: Executable, rows: Sequence[Row] | None = None) -> Sequence[Row]:
        """Run one statement, committed by itself; the rows that it returns."""
        with worded(self.address.where):
            async with asyncio.timeout(_ANSWER_WITHIN_S), self._engine.connect() as connection:
                return await _execute(connection, statement, rows)

    async def read(self, statement: Executable, rows: Sequence[Row] | None = None) -> Sequence[Row]:
        """`write` for a statement that only reads: if the connection is cut, once more on another one."""
        assert rows is None, "a statement that reads inserts nothing"
        return await _twice(lambda: self.write(statement))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        """A transaction: committed at the end of the block, rolled back if the block raises.

        The block gets what runs statements in it.
        """

        async def run(statement: Executable, rows: Sequence[Row] | None = None) -> Sequence[Row]:
            return await _execute(connection, statement, rows)

        # SQLite cannot make a reader a writer while others write: it begins as a writer, or waits.
        begin = "BEGIN IMMEDIATE" if self.address.dialect == "sqlite" else "BEGIN"
        with worded(self.address.where):
            async with asyncio.timeout(_ANSWER_WITHIN_S), self._engine.connect() as connection:
                await connection.exec_driver_sql(begin)
                try:
                    yield run
                    await connection.exec_driver_sql("COMMIT")
                except BaseException:
                    await _roll_back(connection)
                    raise

    async def close(self) -> None:
        """Close every idle connection; the next statement opens a new one."""
        await self._engine.dispose()

    async def _fetch(self, statement: bytes, parameters: Mapping[str, Any]) -> Sequence[Row]:
        pooled = await self._engine.raw_connection()
        driver: DriverConnection[Any] = pooled.driver_connection  # type: ignore[assignment] # psycopg, by its URL
        try:
            cursor = await driver.cursor(row_factory=dict_row).execute(statement, parameters)
            return await cursor.fetchall()
        finally:
            # A statement that was cut off or cancelled may leave its connection in any state.
            if driver.pgconn.transaction_status != TransactionStatus.IDLE:
                pooled.invalidate(soft=True)
            pooled.close()


async def _twice(read: Callable[[], Awaitable[Sequence[Row]]]) -> Sequence[Row]:
    try:
        return await read()
    except StoreUnavailable as error:
        if not broke_off(error.__cause__):
            raise
    return await read()


async def _execute(
    connection: AsyncConnection, statement: Executable, rows: Sequence[Row] | None = None
) -> Sequence[Row]:
    result = await connection.execute(statement, rows)
    return cast("Sequence[Row]", result.mappings().all()) if result.returns_rows else ()


async def _roll_back(connection: AsyncConnection) -> None:
    """Undo what is open, or let go of a connection that cannot."""
    if connection.invalidated:
        return
    try:
        await connection.exec_driver_sql("ROLLBACK")
    except BaseException:
        await connection.invalidate()
        raise
