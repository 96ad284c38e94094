"""How tables are declared: their schema, the names of their constraints, and what several of them share."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, MetaData, TextClause

from powerloop.kernel.ids import MAX_ID_LENGTH

#: Where the tables live. SQLite has no schemas: its engine translates this to none.
SCHEMA = "powerloop"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)

TOKEN_COLUMNS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def tokens() -> tuple[Column[int], ...]:
    """The columns of token counts."""
    return tuple(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS)


def listed(values: Iterable[str]) -> str:
    """The values as SQL lists them."""
    return ", ".join(f"'{value}'" for value in values)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column holds one of the values."""
    return CheckConstraint(f"{column} IN ({listed(values)})", name=column)


def short(column: str, longest: int = MAX_ID_LENGTH) -> CheckConstraint:
    """The column holds a text that is not empty, and not too long."""
    return CheckConstraint(f"length({column}) BETWEEN 1 AND {longest}", name=f"{column}_length")


def counts(*columns: str) -> CheckConstraint:
    """The columns hold no negative numbers."""
    return CheckConstraint(" AND ".join(f"{column} >= 0" for column in columns), name="not_negative")


def partial(condition: TextClause) -> dict[str, Any]:
    """The options of an index of the rows where the condition holds."""
    return {"postgresql_where": condition, "sqlite_where": condition}
