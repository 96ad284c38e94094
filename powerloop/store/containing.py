"""Rows whose metadata has what is asked for, as a condition of a statement."""

from typing import Any

from sqlalchemy import Column, ColumnElement, and_, func, literal, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from powerloop.kernel.jsontypes import JSONObject
from powerloop.store.encoding import cleaned, encode


def having(column: Column[Any], wanted: JSONObject, dialect: str) -> ColumnElement[bool]:
    """That `column` has all top-level keys of `wanted` with equal values, as `matching.has_metadata` says.

    Raises:
        InvalidInput: `wanted` is not JSON.
    """
    wanted = cleaned(wanted)
    if dialect == "sqlite":
        in_sqlite: ColumnElement[bool] = func.powerloop_has_metadata(column, encode(wanted))
        return in_sqlite
    stored = type_coerce(column, JSONB())
    # What is contained is found by the index, but may have more in it than what was asked for.
    exact = (stored[key] == literal(value, JSONB()) for key, value in wanted.items())
    return and_(stored.contains(wanted), *exact)
