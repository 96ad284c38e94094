"""The ledger of model calls, summed by the database in one statement."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, case, false, func, literal, select, true, union_all

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.money import dollars
from powerloop.kernel.ports.usage import UsageQuery
from powerloop.kernel.usage import CallOutcome, UsageGroup, UsageReport, UsageRow, UsageTotal
from powerloop.store.database import Database, Row
from powerloop.store.inputs import send_name, session_name
from powerloop.store.ledger import in_order
from powerloop.store.rows import usage_of
from powerloop.store.schema import model_calls, sends, sessions
from powerloop.store.schema.declaring import TOKEN_COLUMNS

_SUMS: Final = ("calls", "failed_calls", *TOKEN_COLUMNS, "cost", "unpriced_calls", "latency_ms")

_KEYS: Final[Mapping[UsageGroup, ColumnElement[Any]]] = {
    UsageGroup.SESSION: model_calls.c.session_id,
    UsageGroup.SEND: model_calls.c.send_id,
    UsageGroup.AGENT: sessions.c.agent,
    UsageGroup.MODEL: model_calls.c.model,
    UsageGroup.PURPOSE: model_calls.c.purpose,
}


class SqlUsage:
    """The `UsageLedger` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, query: UsageQuery) -> UsageReport:
        groups = _groups(query, self._key(query.by))
        sums = (func.coalesce(func.sum(groups.c[name]), 0).label(name) for name in _SUMS)
        whole = select(true().label("whole"), literal("").label("key"), *sums)
        first = _first(groups, query).subquery()
        found = await self._database.read(union_all(whole, select(false().label("whole"), *first.c)))
        (total,) = (_total_of(row) for row in found if row["whole"])
        rows = [UsageRow(key=row["key"], total=_total_of(row)) for row in found if not row["whole"]]
        return UsageReport(total=total, rows=in_order(rows, query.by) if query.by else ())

    def _key(self, by: UsageGroup | None) -> ColumnElement[str]:
        """What tells the groups apart; all calls are one group where nothing does."""
        if by is None:
            return literal("")
        if by is not UsageGroup.DAY:
            return _KEYS[by]
        if self._database.address.dialect == "sqlite":
            # Instants are texts in UTC there, the day first.
            day: ColumnElement[str] = func.substr(model_calls.c.created_at, 1, 10)
            return day
        return func.to_char(func.timezone("UTC", model_calls.c.created_at), "YYYY-MM-DD")


def _groups(query: UsageQuery, key: ColumnElement[str]) -> CTE:
    """The sums of each group."""
    entry = model_calls.c
    calls = select(
        key.label("key"),
        *(entry[name] for name in TOKEN_COLUMNS),
        entry.cost,
        entry.latency_ms,
        entry.outcome,
    ).join_from(model_calls, sessions, sessions.c.id == entry.session_id)
    if query.session_id is not None or query.send_id is not None:
        calls = calls.where(entry.send_id.in_(select(_tree(query).c.id)))
    if query.agent is not None:
        calls = calls.where(sessions.c.agent == clean_text(query.agent))
    if query.since is not None:
        calls = calls.where(entry.created_at >= query.since)
    if query.until is not None:
        calls = calls.where(entry.created_at < query.until)
    # A subquery, so that the key is computed in one place: its parameters would differ in GROUP BY.
    call = calls.subquery().c
    failed = case((call.outcome == CallOutcome.FAILED.value, 1), else_=0)
    return (
        select(
            call.key,
            func.count().label("calls"),
            func.sum(failed).label("failed_calls"),
            *(func.sum(call[name]).label(name) for name in TOKEN_COLUMNS),
            func.coalesce(func.sum(call.cost), 0).label("cost"),
            (func.count() - func.count(call.cost)).label("unpriced_calls"),
            func.sum(call.latency_ms).label("latency_ms"),
        )
        .group_by(call.key)
        .cte("groups")
    )


def _tree(query: UsageQuery) -> CTE:
    """The sends that are asked for, and those of the sub-agents below them."""
    roots = select(sends.c.id)
    if query.session_id is not None:
        roots = roots.where(sends.c.session_id == session_name(query.session_id))
    if query.send_id is not None:
        roots = roots.where(sends.c.id == send_name(query.send_id))
    tree = roots.cte("tree", recursive=True)
    return tree.union(select(sends.c.id).join(tree, sends.c.parent_send_id == tree.c.id))


def _first(groups: CTE, query: UsageQuery) -> Any:  # noqa: ANN401 - a select of a dozen columns
    """The first rows, in the order of `in_order`."""
    tokens = groups.c.input_tokens + groups.c.output_tokens
    by_day = (groups.c.key.desc(),)
    by_cost = (groups.c.cost.desc(), tokens.desc(), groups.c.key)
    order = by_day if query.by is UsageGroup.DAY else by_cost
    limit = 0 if query.by is None else max(query.limit, 0)
    return select(groups.c.key, *(groups.c[name] for name in _SUMS)).order_by(*order).limit(limit)


def _total_of(row: Row) -> UsageTotal:
    # Postgres sums to decimals.
    counts = {name: int(row[name]) for name in _SUMS}
    return UsageTotal(
        calls=counts["calls"],
        failed_calls=counts["failed_calls"],
        usage=usage_of(counts),
        cost=dollars(counts["cost"]),
        unpriced_calls=counts["unpriced_calls"],
        latency=timedelta(milliseconds=counts["latency_ms"]),
    )
