"""Looking at a database from outside: who it is, what its clock says, how much was written."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from powerloop.store.engine import Address, parse_address, sync_engine
from powerloop.store.faults import worded


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProbe:
    """What a database says of itself."""

    #: Where it is, without the password.
    where: str
    #: Its product and version.
    server: str
    #: How far its clock is ahead of ours; nothing for SQLite, whose clock is ours.
    skew: timedelta
    #: Transactions that wrote something since the database was made; 0 for SQLite, which does not count them.
    write_transactions: int


async def probe(url: str) -> StoreProbe:
    """Ask the database. Changes nothing.

    Raises:
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
        StoreUnavailable: the database does not answer.
    """
    return await asyncio.to_thread(_probe, parse_address(url))


def _probe(address: Address) -> StoreProbe:
    engine = sync_engine(address)
    try:
        with worded(address.where), engine.connect() as connection:
            if address.dialect == "sqlite":
                version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
                return StoreProbe(
                    where=address.where, server=f"SQLite {version}", skew=timedelta(0), write_transactions=0
                )
            asked = datetime.now(UTC)
            # A transaction gets a number when it first writes: the next number counts the writers.
            row = connection.execute(
                text(
                    "SELECT current_setting('server_version') AS version, clock_timestamp() AS now,"
                    " pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS writers"
                )
            ).one()
            answered = datetime.now(UTC)
    finally:
        engine.dispose()
    return StoreProbe(
        where=address.where,
        server=f"PostgreSQL {row.version.split()[0]}",
        skew=row.now.astimezone(UTC) - (asked + (answered - asked) / 2),
        write_transactions=row.writers,
    )
