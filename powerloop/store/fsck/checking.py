"""Runs the checks on a database, which it only reads."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any, Final, Literal

from psycopg.errors import QueryCanceled
from sqlalchemy import TextClause, bindparam, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.fsck import Report
from powerloop.kernel.jsontypes import JSON, JSONObject
from powerloop.store.columns import Instant, now
from powerloop.store.engine import Address, async_engine, parse_address
from powerloop.store.faults import worded
from powerloop.store.fsck.checks import CHECKS, LONG, MOMENT, Check

#: How much later than its own timeout a server must have answered.
_GRACE_S: Final = 5.0
#: Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS: Final = 100_000


async def check_store(
    url: str,
    *,
    invariants: Collection[str] | None = None,
    at_rest: bool = False,
    limit: int = 20,
    timeout: timedelta = timedelta(seconds=10),
) -> Sequence[Report]:
    """Check the promises of the store. Reads only, one statement at a time, each in a snapshot of its own.

    Args:
        url: The database, as for `open_store`.
        invariants: Only these, such as ``I3``; all unless given.
        at_rest: Nothing is to be under way any more: a send that nobody has driven for half a minute is a
            violation too.
        limit: The most rows that a report shows.
        timeout: The longest that one check may take.

    Returns:
        A report for each check, in the order of the invariants.

    Raises:
        InvalidInput: there is no such invariant here.
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
        StoreUnavailable: the database does not answer.
        SchemaMissing: the database has no schema of ours.
    """
    address = parse_address(url)
    wanted = _known(invariants)
    engine = async_engine(address, pool_size=1)
    examiner = _Examiner(engine=engine, address=address, limit=limit, timeout=timeout)
    try:
        checks = [check for check in CHECKS if check.invariant in wanted and (at_rest or not check.at_rest)]
        reports = [await examiner.report(check) for check in checks]
    finally:
        await engine.dispose()
    return sorted(reports, key=lambda report: int(report.invariant.removeprefix("I")))


def _known(invariants: Collection[str] | None) -> frozenset[str]:
    known = frozenset(check.invariant for check in CHECKS)
    if unknown := set(invariants or ()) - known:
        raise InvalidInput(
            f"the store has no invariant {min(unknown)!r}.", hint=f"It has {', '.join(sorted(known))}."
        )
    return known if invariants is None else frozenset(invariants)


class _TimedOut(Exception):
    """The statement was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examiner:
    engine: AsyncEngine
    address: Address
    limit: int
    timeout: timedelta

    async def report(self, check: Check) -> Report:
        """What the check came to."""
        status: Literal["ok", "violated", "timed_out"]
        rows: tuple[JSONObject, ...] = ()
        detail = ""
        try:
            rows = await self._violations(check)
            status = "violated" if rows else "ok"
        except _TimedOut:
            status, detail = "timed_out", f"It took longer than {self.timeout.total_seconds():g} s."
        return Report(invariant=check.invariant, title=check.title, status=status, rows=rows, detail=detail)

    async def _violations(self, check: Check) -> tuple[JSONObject, ...]:
        async with self._reading() as connection:
            clock: datetime = (await connection.execute(select(now()))).scalar_one()
            given = {"moment_ago": clock - MOMENT, "long_ago": clock - LONG}
            sql = check.statement(self.address.dialect)
            try:
                rows = await connection.execute(_bound(sql, given), {"limit": self.limit})
            except DBAPIError as error:
                if _is_timeout(error.orig):
                    raise _TimedOut from error
                raise
        return tuple({name: _plain(value) for name, value in row.items()} for row in rows.mappings())

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that can only read, and whose statement is given up after the timeout."""
        patience = self.timeout.total_seconds()
        bound = _bound_sqlite if self.address.dialect == "sqlite" else _bound_postgres
        with worded(self.address.where):
            async with asyncio.timeout(patience + _GRACE_S), self.engine.connect() as connection:
                try:
                    await bound(connection, patience)
                    yield connection
                    await connection.exec_driver_sql("ROLLBACK")
                except BaseException:
                    await connection.invalidate()
                    raise


def _bound(sql: str, instants: Mapping[str, datetime]) -> TextClause:
    used = {name: instant for name, instant in instants.items() if f":{name}" in sql}
    return text(sql).bindparams(*(bindparam(name, used[name], type_=Instant()) for name in used))


async def _bound_postgres(connection: AsyncConnection, patience: float) -> None:
    await connection.exec_driver_sql("BEGIN READ ONLY")
    setting = text("SELECT set_config('statement_timeout', :ms, true)")
    await connection.execute(setting, {"ms": f"{round(patience * 1000)}ms"})


async def _bound_sqlite(connection: AsyncConnection, patience: float) -> None:
    deadline = monotonic() + patience
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
    await connection.exec_driver_sql("PRAGMA query_only = ON")
    await connection.exec_driver_sql("BEGIN")


def _is_timeout(error: BaseException | None) -> bool:
    return isinstance(error, QueryCanceled) or (
        isinstance(error, sqlite3.OperationalError) and str(error) == "interrupted"
    )


def _plain(value: object) -> JSON:
    """The value of a column, as JSON."""
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Decimal():
            return int(value)
        case datetime():
            return value.isoformat()
    return str(value)
