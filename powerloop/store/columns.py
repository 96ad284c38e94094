"""Column types and clock expressions that mean the same in every database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Float, Integer, String, TypeDecorator, literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

#: Fixed in length and in UTC, so that the order of the texts is the order of the instants.
_SQLITE_INSTANT = "%Y-%m-%dT%H:%M:%S.%f+00:00"
_SQLITE_CLOCK = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'{})"


class Instant(TypeDecorator[datetime]):
    """An aware `datetime` in UTC: ``timestamptz`` in Postgres, ISO 8601 text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime(_SQLITE_INSTANT)

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the type tells
        return datetime.fromisoformat(value) if isinstance(value, str) else value


#: JSON in the form that the database can search. JSONB sorts the keys of objects; the kernel's `in_key_order`
#: does the same before a message is first sent: a transcript reads alike before and after it was stored.
StoredJson = JSON().with_variant(JSONB(), "postgresql")

#: A number that the database gives; SQLite does so for its own integer type only.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class now(FunctionElement[datetime]):  # noqa: N801 - used like SQLAlchemy's own functions
    """The database's clock; in Postgres the one that goes on during a transaction."""

    type = Instant()
    inherit_cache = True


class after(FunctionElement[datetime]):  # noqa: N801 - used like SQLAlchemy's own functions
    """The database's clock, so many seconds later."""

    type = Instant()
    inherit_cache = True

    def __init__(self, span: timedelta) -> None:
        super().__init__(literal(span.total_seconds(), Float()))


@compiles(now)
def _now(_element: now, _compiler: SQLCompiler, **_options: object) -> str:
    return "clock_timestamp()"


@compiles(now, "sqlite")
def _now_in_sqlite(_element: now, _compiler: SQLCompiler, **_options: object) -> str:
    return _SQLITE_CLOCK.format("")


@compiles(after)
def _after(element: after, compiler: SQLCompiler, **options: object) -> str:
    return f"clock_timestamp() + {compiler.process(element.clauses, **options)} * interval '1 second'"


@compiles(after, "sqlite")
def _after_in_sqlite(element: after, compiler: SQLCompiler, **options: object) -> str:
    seconds = compiler.process(element.clauses, **options)
    return _SQLITE_CLOCK.format(f", {seconds} || ' seconds'")
