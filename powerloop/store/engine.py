"""Addresses of databases and the engines that speak to them: the one place that knows drivers.

Every engine commits each statement by itself. What must hold together is one statement, or is put between an
explicit ``BEGIN`` and ``COMMIT`` by `Database.transaction`.
"""

import select
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from powerloop.kernel.errors import SettingsInvalid
from powerloop.store.encoding import decode, encode
from powerloop.store.matching import has_metadata
from powerloop.store.schema import SCHEMA

FORMS: Final = "Use postgresql://user:password@host:5432/name or sqlite:///file.db."

#: A server that went away without a word is noticed within these bounds. The URL's query may say otherwise.
POSTGRES_OPTIONS: Final = {
    "application_name": "powerloop",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
#: A commit survives the death of its process, not a power cut; foreign keys are off unless asked for.
_SQLITE_PRAGMAS: Final = ("busy_timeout=5000", "synchronous=NORMAL", "foreign_keys=ON")
#: How many others may get in first while a connection turns a new file to its log.
_LOG_TRIES: Final = 100
_POOL_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is."""

    url: URL

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self.url.get_backend_name()

    @property
    def where(self) -> str:
        """The place in words, without the password."""
        if self.dialect == "sqlite":
            return str(self.url.database)
        host = self.url.host or self.url.query.get("host", "localhost")
        return f"{host}:{self.url.port or 5432}/{self.url.database or ''}"


def parse_address(url: str, options: Mapping[str, str] = POSTGRES_OPTIONS) -> Address:
    """The address that `url` gives.

    Args:
        url: ``postgresql://…``, ``postgres://…`` or ``sqlite:///file``.
        options: What libpq is told where the query of `url` does not say it.

    Raises:
        SettingsInvalid: it is not such a URL.
    """
    scheme, separator, rest = url.partition("://")
    backend = scheme.partition("+")[0]
    if not separator or backend not in ("postgresql", "postgres", "sqlite"):
        shown = f"begins with {scheme}://" if separator else "is not a URL"
        raise SettingsInvalid(f"the database's address {shown}.", hint=FORMS)
    try:
        parsed = make_url(f"{'sqlite' if backend == 'sqlite' else 'postgresql'}://{rest}")
    except (ArgumentError, ValueError) as error:
        # The error shows the URL, so it is kept out of the words: a password may be in it.
        raise SettingsInvalid("the database's address cannot be read.", hint=FORMS) from error
    if backend == "sqlite":
        return _sqlite_address(parsed)
    missing = {name: value for name, value in options.items() if name not in parsed.query}
    return Address(parsed.set(drivername="postgresql+psycopg").update_query_dict(missing))


def async_engine(address: Address, pool_size: int) -> AsyncEngine:
    """An engine for an event loop. It connects when it is first used."""
    if address.dialect == "sqlite":
        # SQLite has one writer at a time, and its readers are quick: one connection queues them fairly.
        engine = create_async_engine(address.url.set(drivername="sqlite+aiosqlite"), **_options(pool_size=1))
        engine = engine.execution_options(schema_translate_map={SCHEMA: None})
    else:
        engine = create_async_engine(address.url, **_options(pool_size), **_POSTGRES_ENGINE)
    _listen(engine.sync_engine, address)
    return engine


def sync_engine(address: Address) -> Engine:
    """An engine of one connection, for a thread."""
    if address.dialect == "sqlite":
        engine = create_engine(address.url, **_options(pool_size=1))
        engine = engine.execution_options(schema_translate_map={SCHEMA: None})
    else:
        engine = create_engine(address.url, **_options(pool_size=1), **_POSTGRES_ENGINE)
    _listen(engine, address)
    return engine


#: No query for a type that is not used, and warm connections first: statements are prepared on them.
_POSTGRES_ENGINE: Final[dict[str, Any]] = {"use_native_hstore": False, "pool_use_lifo": True}


def _options(pool_size: int) -> dict[str, Any]:
    return {
        "isolation_level": "AUTOCOMMIT",
        # Nothing is ever left open on a connection, so nothing is to be rolled back when it is returned.
        "pool_reset_on_return": None,
        "skip_autocommit_rollback": True,
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": _POOL_TIMEOUT_S,
        "json_serializer": encode,
        "json_deserializer": str,
    }


def _sqlite_address(url: URL) -> Address:
    if not url.database or url.database == ":memory:" or "mode=memory" in url.database:
        raise SettingsInvalid(
            "an SQLite database in memory cannot be shared between connections.",
            hint="Name a file: sqlite:///file.db.",
        )
    return Address(url.set(drivername="sqlite+pysqlite"))


def _listen(engine: Engine, address: Address) -> None:
    if address.dialect == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgres)
        event.listen(engine, "checkout", _refuse_stale)


def _prepare_sqlite(connection: DBAPIConnection, *_: object) -> None:
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    _write_ahead(cursor)
    cursor.close()
    connection.create_function("powerloop_has_metadata", 2, _has_metadata, deterministic=True)


def _write_ahead(cursor: DBAPICursor) -> None:
    """Have the file keep a write-ahead log, which it does from then on.

    While another connection writes to a file that has none, SQLite refuses at once, whatever ``busy_timeout``
    says. For a transaction it does wait.
    """
    for _ in range(_LOG_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            cursor.execute("BEGIN EXCLUSIVE")
            cursor.execute("ROLLBACK")
        else:
            return
    raise sqlite3.OperationalError("database is locked")


def _has_metadata(metadata: str, wanted: str) -> bool:
    return has_metadata(decode(metadata), decode(wanted))


def _prepare_postgres(connection: DBAPIConnection, *_: object) -> None:
    cursor = connection.cursor()
    # So that instants come in UTC, whatever the server's own time zone.
    # A process that is frozen in the middle of a transaction must not keep its locks for as long as it is.
    cursor.execute("SET TIME ZONE 'UTC'; SET idle_in_transaction_session_timeout = '60s'")
    cursor.close()
    # The driver picks a type by a number's size, and the server plans a statement anew for each pick.
    driver: Any = connection
    driver.adapters.register_dumper(int, Int8Dumper)
    # JSON comes as text, as it does from SQLite: `decode` is three times as fast as the driver.
    for name in ("json", "jsonb"):
        driver.adapters.register_loader(name, TextLoader)


def _refuse_stale(_connection: DBAPIConnection, record: ConnectionPoolEntry, *_: object) -> None:
    """Have the pool reconnect where the server has hung up.

    On an idle connection a server says nothing but farewell, so a socket with something to read is dead.
    Asking the kernel costs a microsecond where a ping costs a round trip.
    """
    driver: Any = record.driver_connection
    if driver.closed or _is_readable(driver.fileno()):
        raise DisconnectionError("the server hung up")


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
