"""Bringing a database's schema up to this code, and telling how far it is."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from powerloop.kernel.errors import SchemaNewer
from powerloop.store.engine import Address, parse_address, sync_engine
from powerloop.store.faults import schema_missing, schema_outdated, worded
from powerloop.store.schema import SCHEMA

_HISTORY: Final = Path(__file__).parent / "migrations"
#: Any number that nobody else locks: these are the letters "powerloo".
_LOCK: Final = int.from_bytes(b"powerloo", "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """How far a database's schema is."""

    #: The revision that the database has; `None` if it has none.
    current: str | None
    #: The revision that this code needs.
    head: str
    #: ``newer``: the database was upgraded by a later release, whose schema this code does not know.
    state: Literal["missing", "outdated", "current", "newer"]


async def status(url: str) -> SchemaStatus:
    """How far the schema of the database is. Changes nothing.

    Raises:
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
        StoreUnavailable: the database does not answer.
    """
    return await asyncio.to_thread(_status, parse_address(url))


async def upgrade(url: str) -> None:
    """Bring the schema up to this code. Of many processes that call it at once, one does it; the others wait.

    Raises:
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
        StoreUnavailable: the database does not answer.
        SchemaMissing: there is no schema, and the role may not make one.
        SchemaOutdated: the schema is older than this code, and the role may not change it.
        SchemaNewer: the schema is newer than this code.
    """
    await asyncio.to_thread(_upgrade, parse_address(url))


async def check(url: str, policy: Literal["auto", "verify"]) -> None:
    """See to it that the schema is the one that this code needs.

    Args:
        url: The database.
        policy: ``auto``: upgrade it if need be. ``verify``: refuse any other.

    Raises:
        StoreUnavailable: the database does not answer.
        SchemaMissing: there is no schema, and the policy or the role forbids to make one.
        SchemaOutdated: the schema is older than this code, and the policy or the role forbids to upgrade it.
        SchemaNewer: the schema is newer than this code.
    """
    address = parse_address(url)
    found = await asyncio.to_thread(_status, address)
    if found.state == "newer":
        raise _newer(address, found)
    if found.state != "current":
        if policy == "verify":
            raise _lacking(address, found.current)
        await asyncio.to_thread(_upgrade, address)


def ddl(url_or_dialect: str, since: str | None = None) -> str:
    """The SQL that `upgrade` would run, for somebody who may: a script for ``psql`` or ``sqlite3``.

    Args:
        url_or_dialect: A database's URL, or ``postgresql`` or ``sqlite``. Nothing is connected to.
        since: The revision that the database has; all of the schema unless given.
    """
    dialect = url_or_dialect if "://" not in url_or_dialect else parse_address(url_or_dialect).dialect
    script = io.StringIO()
    context = MigrationContext.configure(
        dialect_name=dialect,
        opts={
            **_options(dialect),
            "as_sql": True,
            "output_buffer": script,
            "starting_rev": since,
            # SQLite can take back what a transaction defined, though Alembic does not count on it.
            "transactional_ddl": True,
        },
    )
    with context.begin_transaction():
        if dialect != "sqlite":
            context.impl.static_output(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n")
        context.run_migrations(op=Operations(context))
    return script.getvalue()


def _status(address: Address) -> SchemaStatus:
    if address.dialect == "sqlite" and not Path(str(address.url.database)).exists():
        # To look would make the file.
        return _compared(None)
    with worded(address.where), _connected(address) as connection:
        return _status_of(connection)


def _upgrade(address: Address) -> None:
    if address.dialect == "sqlite":
        with worded(address.where):
            Path(str(address.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with worded(address.where), _connected(address) as connection, _transaction(connection):
        found = _status_of(connection)
        if found.state == "newer":
            raise _newer(address, found)
        if found.state != "current":
            try:
                _migrate(connection)
            except DBAPIError as error:
                if isinstance(error.orig, InsufficientPrivilege):
                    raise _lacking(address, found.current) from error
                raise


def _migrate(connection: Connection) -> None:
    # Postgres refuses even IF NOT EXISTS to a role that may not make schemas.
    if connection.dialect.name != "sqlite" and not connection.dialect.has_schema(connection, SCHEMA):
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    context = MigrationContext.configure(connection, opts=_options(connection.dialect.name))
    context.run_migrations(op=Operations(context))


def _status_of(connection: Connection) -> SchemaStatus:
    context = MigrationContext.configure(connection, opts=_options(connection.dialect.name))
    return _compared(context.get_current_revision())


def _compared(current: str | None) -> SchemaStatus:
    history = ScriptDirectory(_HISTORY)
    head = history.get_current_head()
    assert head is not None
    known = {script.revision for script in history.walk_revisions()}
    if current is None:
        return SchemaStatus(current=None, head=head, state="missing")
    if current not in known:
        return SchemaStatus(current=current, head=head, state="newer")
    return SchemaStatus(current=current, head=head, state="current" if current == head else "outdated")


def _options(dialect: str) -> dict[str, Any]:
    return {"fn": _steps, "version_table_schema": None if dialect == "sqlite" else SCHEMA}


def _steps(current: tuple[str, ...] | str | None, _context: MigrationContext) -> list[RevisionStep]:
    """What is to be run from the current revision on, the earliest first."""
    history = ScriptDirectory(_HISTORY)
    scripts = list(history.iterate_revisions("head", current or "base"))
    return [MigrationStep.upgrade_from_script(history.revision_map, script) for script in reversed(scripts)]


@contextmanager
def _connected(address: Address) -> Iterator[Connection]:
    engine = sync_engine(address)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """A transaction in which nobody else migrates. A migration that fails leaves nothing behind."""
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
    try:
        if not is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _lacking(address: Address, current: str | None) -> Exception:
    return schema_outdated(address.where) if current else schema_missing(address.where)


def _newer(address: Address, found: SchemaStatus) -> SchemaNewer:
    return SchemaNewer(
        f"the powerloop schema at {address.where} is at {found.current}, which this code does not know.",
        hint=f"It knows {found.head} and before: upgrade powerloop to the release that made it.",
    )
