"""What drivers' errors mean."""

import sqlite3

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from powerloop.kernel.errors import (
    Fenced,
    InvalidInput,
    PowerLoopError,
    RowRefused,
    SchemaMissing,
    SchemaOutdated,
    SessionNotFound,
    StoreUnavailable,
)
from powerloop.store.faults import broke_off, worded


def meaning(error: BaseException) -> PowerLoopError:
    with pytest.raises(PowerLoopError) as raised, worded("db:5432/app"):
        raise error
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errors.UndefinedTable("relation"), SchemaMissing, "db:5432/app has no powerloop schema"),
        (errors.InvalidSchemaName("schema"), SchemaMissing, "db:5432/app"),
        (sqlite3.OperationalError("no such table: sends"), SchemaMissing, "db:5432/app"),
        (errors.UndefinedColumn("column"), SchemaOutdated, "older than this code"),
        (sqlite3.OperationalError("no such column: x"), SchemaOutdated, "older than this code"),
        (errors.TooManyConnections("sorry, too many clients"), StoreUnavailable, "too busy: sorry, too many"),
        (sqlite3.OperationalError("database is locked"), StoreUnavailable, "too busy"),
        (errors.ReadOnlySqlTransaction("read-only"), StoreUnavailable, "does not let us in"),
        (errors.InsufficientPrivilege("permission denied"), StoreUnavailable, "permission denied"),
        (
            psycopg.OperationalError("refused\nmore"),
            StoreUnavailable,
            "db:5432/app does not answer: refused.",
        ),
        (psycopg.InterfaceError("the connection is closed"), StoreUnavailable, "the connection is closed"),
        (sqlite3.DatabaseError("file is not a database"), StoreUnavailable, "not a database"),
        (OperationalError("SELECT 1", {}, psycopg.OperationalError("gone")), StoreUnavailable, "gone"),
        (PoolTimeout("QueuePool limit"), StoreUnavailable, "in time"),
        (TimeoutError(), StoreUnavailable, "in time"),
        (ConnectionRefusedError("refused"), StoreUnavailable, "out of reach"),
        (errors.NumericValueOutOfRange("integer out of range"), InvalidInput, "integer out of range"),
        (
            sqlite3.IntegrityError("CHECK constraint failed: ck_sends_priority"),
            InvalidInput,
            "ck_sends_priority",
        ),
        (sqlite3.IntegrityError("UNIQUE constraint failed: sends.session_id"), Fenced, "another send"),
        (
            sqlite3.IntegrityError("UNIQUE constraint failed: tool_calls.send_id, tool_calls.id"),
            InvalidInput,
            "must differ",
        ),
        (sqlite3.IntegrityError("FOREIGN KEY constraint failed"), RowRefused, "foreign key"),
        (IntegrityError("INSERT", {}, errors.ForeignKeyViolation("fk")), RowRefused, "does not hold"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_error_is_told_in_the_domains_words(error, kind, words):
    told = meaning(error)
    assert type(told) is kind
    assert words in str(told)
    assert told.__cause__ is error


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("sessions.id", "pk_sessions"),
        ("sends.id", "pk_sends"),
        ("sends.session_id, sends.position", "uq_sends_session_id_position"),
        ("sends.session_id, sends.idempotency_key", "uq_sends_session_id_idempotency_key"),
        ("messages.session_id, messages.seq", "pk_messages"),
    ],
)
def test_sqlite_tells_columns_and_we_know_the_constraint(columns, constraint):
    refused = meaning(sqlite3.IntegrityError(f"UNIQUE constraint failed: {columns}"))
    assert isinstance(refused, RowRefused)
    assert refused.constraint == constraint


def test_our_own_errors_pass():
    error = SessionNotFound("x")
    assert meaning(error) is error


def test_defects_pass():
    with pytest.raises(ZeroDivisionError), worded("db"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "cut"),
    [
        (psycopg.OperationalError("the connection is lost"), True),
        (errors.AdminShutdown("terminating connection"), True),
        (errors.CrashShutdown("crash"), True),
        (OperationalError("SELECT 1", {}, psycopg.OperationalError("consuming input failed")), True),
        (errors.ConnectionTimeout("timeout expired"), False),
        (errors.QueryCanceled("canceling statement"), False),
        (errors.TooManyConnections("too many"), False),
        (sqlite3.OperationalError("database is locked"), False),
        (PoolTimeout("QueuePool limit"), False),
        (None, False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_cut_connection_is_told_from_other_troubles(error, cut):
    assert broke_off(error) is cut
