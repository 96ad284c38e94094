"""The schema: brought about by one of many, the same by every way, refused when it is not ours."""

import asyncio
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from sqlalchemy import create_engine, text

from powerloop.kernel.errors import SchemaMissing, SchemaNewer, SchemaOutdated, SettingsInvalid
from powerloop.kernel.ids import SessionId
from powerloop.kernel.sessions import NewSession
from powerloop.store import migrate, open_store
from powerloop.store.schema import SCHEMA, metadata

FIRST_BOOT = (
    "import asyncio, sys; from powerloop.store import open_store; asyncio.run(open_store(sys.argv[1]).open())"
)

LATER = '''
"""Revision 0005: what a later release may bring."""

import sqlalchemy as sa

revision = "0005"
down_revision = "0004"


def upgrade(op):
    schema = None if op.get_context().dialect.name == "sqlite" else "powerloop"
    op.add_column("sends", sa.Column("colour", sa.Text()), schema=schema)
'''


@pytest.fixture(params=["postgres", "sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def later_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Make this process one of a later release, which knows one more revision."""
    history = tmp_path / "history"
    shutil.copytree(migrate._HISTORY, history)
    (history / "versions" / "r0005_colour.py").write_text(LATER)
    return lambda: monkeypatch.setattr(migrate, "_HISTORY", history)


async def test_an_empty_database_is_missing_until_it_is_upgraded(empty_url):
    found = await migrate.status(empty_url)
    assert (found.current, found.head, found.state) == (None, "0004", "missing")
    await migrate.upgrade(empty_url)
    found = await migrate.status(empty_url)
    assert (found.current, found.head, found.state) == ("0004", "0004", "current")
    await migrate.upgrade(empty_url)
    assert await migrate.status(empty_url) == found


async def test_looking_at_a_file_that_is_not_there_does_not_make_it(tmp_path):
    await migrate.status(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.takes("machine")
async def test_eight_processes_that_first_boot_at_once_converge(empty_url):
    booting = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", FIRST_BOOT, empty_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(8)
    ]
    said = [(await process.communicate())[1].decode() for process in booting]
    assert said == [""] * 8
    assert [process.returncode for process in booting] == [0] * 8
    assert (await migrate.status(empty_url)).state == "current"


async def test_stores_that_open_at_once_in_one_process_converge(empty_url, store_at):
    stores = [store_at(empty_url) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    session = await stores[0].sessions.create(NewSession(id=SessionId("session"), agent="support"))
    assert await stores[3].sessions.find(session.id) == session


async def test_the_migrations_make_the_tables_of_the_code(empty_url, tmp_path):
    await migrate.upgrade(empty_url)
    migrated = described(empty_url)
    if empty_url.startswith("sqlite"):
        declared_url = f"sqlite:///{tmp_path / 'declared.db'}"
    else:
        declared_url = empty_url
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
    declare(declared_url)

    assert len(migrated) > 60
    assert migrated == described(declared_url)


async def test_the_script_makes_what_an_upgrade_makes(empty_url, tmp_path):
    await migrate.upgrade(empty_url)
    upgraded = described(empty_url)
    script = migrate.ddl(empty_url)
    if empty_url.startswith("sqlite"):
        scripted_url = f"sqlite:///{tmp_path / 'scripted.db'}"
        connection = sqlite3.connect(tmp_path / "scripted.db")
        connection.executescript(script)
        connection.close()
    else:
        scripted_url = empty_url
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            connection.execute(script)

    assert described(scripted_url) == upgraded
    assert (await migrate.status(scripted_url)).state == "current"
    assert migrate.ddl(scripted_url.partition(":")[0]) == script


async def test_verify_refuses_a_database_without_the_schema(postgres_url, tmp_path):
    for url in (postgres_url, f"sqlite:///{tmp_path / 'empty.db'}"):
        with pytest.raises(SchemaMissing) as raised:
            await open_store(url, policy="verify").open()
        assert "powerloop db ddl" in raised.value.hint
        assert (await migrate.status(url)).state == "missing"


async def test_verify_accepts_the_schema(empty_url):
    await migrate.upgrade(empty_url)
    await open_store(empty_url, policy="verify").open()


async def test_an_older_schema_is_refused_by_verify_and_upgraded_by_auto(empty_url, store_at, later_release):
    await migrate.upgrade(empty_url)
    store = store_at(empty_url)
    await store.sessions.create(NewSession(id=SessionId("before"), agent="support"))
    later_release()

    assert (await migrate.status(empty_url)).state == "outdated"
    with pytest.raises(SchemaOutdated) as raised:
        await migrate.check(empty_url, "verify")
    assert "powerloop db ddl" in raised.value.hint
    await migrate.check(empty_url, "auto")
    found = await migrate.status(empty_url)
    assert (found.current, found.state) == ("0005", "current")
    assert (await store.sessions.find(SessionId("before"))).agent == "support"


async def test_a_script_since_a_revision_holds_the_rest_only(later_release):
    later_release()
    script = migrate.ddl("postgresql", since="0004")
    assert "ADD COLUMN colour" in script
    assert "CREATE TABLE" not in script


@pytest.mark.parametrize("policy", ["auto", "verify"])
async def test_a_newer_schema_is_refused(empty_url, policy, later_release, monkeypatch):
    later_release()
    await migrate.upgrade(empty_url)
    monkeypatch.undo()

    assert (await migrate.status(empty_url)).state == "newer"
    with pytest.raises(SchemaNewer, match="0005"):
        await open_store(empty_url, policy=policy).open()
    with pytest.raises(SchemaNewer):
        await migrate.upgrade(empty_url)


async def test_workers_of_this_release_run_on_while_a_later_one_adds_a_column(bench, later_release):
    """Statements that are prepared on open connections outlive the change of their tables."""
    claim = await bench.claimed("first")
    for number in range(8):
        await bench.accept(f"more-{number}")
        await bench.store.sends.find(claim.send.id)
    later_release()
    await migrate.upgrade(bench.url)

    finished = await bench.store.journal.finish(claim.fence, bench.completed())
    assert finished.next_head.id == "more-0"
    for number in range(8, 16):
        assert (await bench.accept(f"more-{number}")).created
        assert await bench.store.sends.find(claim.send.id)


async def test_a_role_that_may_not_make_schemas_is_told_what_to_run(postgres_url, store_at):
    name = "limited_" + urlsplit(postgres_url).path[-12:]
    where = urlsplit(postgres_url)
    limited = urlunsplit(where._replace(netloc=f"{name}:secret@{where.hostname}:{where.port}"))
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        try:
            with pytest.raises(SchemaMissing) as raised:
                await open_store(limited).open()
            assert "powerloop db ddl" in raised.value.hint

            owner.execute(migrate.ddl(limited))
            owner.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {name}")
            owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {name}")
            store = store_at(limited)
            await store.open()
            await store.sessions.create(NewSession(id=SessionId("session"), agent="support"))
        finally:
            owner.execute(f"DROP OWNED BY {name}")
            owner.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "powerloop",
        "mysql://x/y",
        "redis://x",
        "sqlite://",
        "sqlite:///:memory:",
        "postgres:x",
        "http://a:b",
    ],
)
async def test_an_address_that_is_none_is_refused_in_words(url):
    with pytest.raises(SettingsInvalid) as refused:
        open_store(url)
    assert refused.value.hint


def described(url: str) -> list[str]:
    """Every table, column, constraint and index, in the database's own words."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = connection.execute(
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master "
            "WHERE tbl_name <> 'alembic_version' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        connection.close()
        return sorted(line for (sql,) in rows for line in normalized(sql))
    with psycopg.connect(url) as connection:
        return sorted(row[0] for query in CATALOGUE for row in connection.execute(query))


def normalized(sql: str) -> list[str]:
    """The parts of a definition: SQLite keeps its text, and the order of constraints in it means nothing.

    A column that was added later stands on the line of the one before, with the end of the table behind it.
    """
    parts = (" ".join(part.split()).rstrip(") ") for part in re.split(r",|\n", sql))
    return [part for part in parts if part]


CATALOGUE = (
    """
    SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, is_identity)
      FROM information_schema.columns
     WHERE table_schema = 'powerloop' AND table_name <> 'alembic_version'
    """,
    """
    SELECT format('constraint %s.%s %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
      FROM pg_constraint AS c
     WHERE c.connamespace = 'powerloop'::regnamespace AND c.conname NOT LIKE 'alembic%'
    """,
    """
    SELECT 'index ' || indexdef FROM pg_indexes
     WHERE schemaname = 'powerloop' AND tablename <> 'alembic_version'
    """,
    """
    SELECT format('table %s %s', relname, reloptions) FROM pg_class
     WHERE relnamespace = 'powerloop'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
    """,
)


def declare(url: str) -> None:
    """Make the tables as the code declares them."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    if url.startswith("sqlite"):
        engine = engine.execution_options(schema_translate_map={SCHEMA: None})
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        metadata.create_all(connection)
    engine.dispose()
