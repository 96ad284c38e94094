"""What a driver's errors mean in the words of the domain."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors
from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from powerloop.kernel.errors import (
    Fenced,
    InvalidInput,
    PowerLoopError,
    RowRefused,
    SchemaMissing,
    SchemaOutdated,
    StoreUnavailable,
)
from powerloop.store.inputs import SAME_CALL
from powerloop.store.schema import metadata

_MIGRATE: Final = "Run powerloop db upgrade, or have the SQL of powerloop db ddl run by someone who may."
_WAIT: Final = "Allow it more connections, or run fewer processes."
_ASK: Final = "Connect to the primary, as a role that may read and write the schema powerloop."

_ROWS: Final[dict[str, Callable[[], PowerLoopError]]] = {
    "pk_tool_calls": lambda: InvalidInput(SAME_CALL),
    "uq_tool_calls_id": lambda: InvalidInput(SAME_CALL),
    "uq_sends_held": lambda: Fenced("another send of the session runs."),
}
#: Errors of psycopg, how SQLite begins to tell the same, and what they mean at a place, for a reason.
_MEANINGS: Final[
    tuple[tuple[tuple[type[Exception], ...], str, Callable[[str, str], PowerLoopError]], ...]
] = (
    (
        (psycopg.DataError, errors.ProgramLimitExceeded),
        "string or blob too big",
        lambda _, why: _bad_value(why),
    ),
    ((errors.InvalidSchemaName, errors.UndefinedTable), "no such table", lambda at, _: schema_missing(at)),
    ((errors.UndefinedColumn,), "no such column", lambda at, _: schema_outdated(at)),
    (
        (errors.TooManyConnections, errors.QueryCanceled, errors.LockNotAvailable),
        "database is locked",
        lambda at, why: StoreUnavailable(f"the database at {at} is too busy: {why}.", hint=_WAIT),
    ),
    (
        (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege),
        "attempt to write a readonly database",
        lambda at, why: StoreUnavailable(f"the database at {at} does not let us in: {why}.", hint=_ASK),
    ),
)
#: The states of connections that were cut: by the network, by a shutdown, by a crash.
_CUT: Final = re.compile("08...|57P0[12]")


@contextmanager
def worded(where: str) -> Iterator[None]:
    """Turn the drivers' errors into the domain's. `where` is the database's place in words."""
    try:
        yield
    except PowerLoopError:
        raise
    except (DBAPIError, psycopg.Error, sqlite3.Error) as error:
        raise _meaning(_driver_error(error), where) from error
    except (PoolTimeout, TimeoutError) as error:
        raise StoreUnavailable(f"the database at {where} did not answer in time.", hint=_WAIT) from error
    except OSError as error:
        raise StoreUnavailable(f"the database at {where} is out of reach: {error}.") from error


def schema_missing(where: str) -> SchemaMissing:
    """The database has no schema of ours."""
    return SchemaMissing(f"the database at {where} has no powerloop schema.", hint=_MIGRATE)


def schema_outdated(where: str) -> SchemaOutdated:
    """The database's schema lacks what this code needs."""
    return SchemaOutdated(f"the powerloop schema at {where} is older than this code.", hint=_MIGRATE)


def broke_off(error: BaseException | None) -> bool:
    """Whether the connection was cut, so that another one may do better."""
    cause = _driver_error(error)
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return not isinstance(cause, errors.ConnectionTimeout) and (
        cause.sqlstate is None or bool(_CUT.fullmatch(cause.sqlstate))
    )


def _driver_error(error: BaseException | None) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _meaning(error: BaseException | None, where: str) -> PowerLoopError:
    if isinstance(error, psycopg.IntegrityError | sqlite3.IntegrityError):
        return _refusal(_violated(error))
    told = str(error)
    for kinds, words, meaning in _MEANINGS:
        if isinstance(error, kinds) or (isinstance(error, sqlite3.Error) and told.startswith(words)):
            return meaning(where, _first_line(error))
    return StoreUnavailable(
        f"the database at {where} does not answer: {_first_line(error)}.",
        hint="Start it, or correct POWERLOOP_DATABASE_URL.",
    )


def _refusal(constraint: str) -> PowerLoopError:
    if constraint in _ROWS:
        return _ROWS[constraint]()
    if constraint.startswith("ck_"):
        return _bad_value(f"{constraint} does not hold")
    return RowRefused(constraint)


def _bad_value(why: str) -> InvalidInput:
    return InvalidInput(f"the database refuses a value: {why}.")


def _violated(error: psycopg.IntegrityError | sqlite3.IntegrityError) -> str:
    """The name of the constraint that refused a row, also where the driver tells its columns only."""
    if isinstance(error, psycopg.IntegrityError):
        return error.diag.constraint_name or "a constraint"
    kind, _, told = str(error).partition(" constraint failed: ")
    if kind != "UNIQUE":
        return told or "a foreign key"
    table = metadata.tables[f"{metadata.schema}.{told.partition('.')[0]}"]
    return _unique_key(table, [name.rpartition(".")[2] for name in told.split(", ")])


def _unique_key(table: Table, columns: list[str]) -> str:
    constraints = [c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
    keys = (*constraints, *(index for index in table.indexes if index.unique))
    return next(str(key.name) for key in keys if key.columns.keys() == columns)


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
