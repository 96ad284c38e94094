"""Conditions of rows whose message was lost, for sends and for tool tasks alike."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, Table, and_, case, exists, func, or_, select

from powerloop.kernel.queues import Lane
from powerloop.store.columns import after, now
from powerloop.store.database import Row
from powerloop.store.schema import worker_leases

#: The most often that a dispatch in vain doubles the patience with the next one.
_DOUBLINGS: Final = 6


def is_alive(owner: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the lease of the owner runs."""
    return exists().where(worker_leases.c.id == owner, worker_leases.c.expires_at > now())


def dead_owners(table: Table, running: ColumnElement[bool]) -> Select[str]:
    """Owners of running rows that have no lease that runs.

    A walk from name to name along the index of running rows: there are a thousand of them to an owner.

    Args:
        table: With ``owner``.
        running: Whether a row of it runs, as the condition of that index says it.
    """
    lowest = func.min(table.c.owner).label("owner")
    owners = select(lowest).where(running).cte("owners", recursive=True)
    following = select(lowest).where(running, table.c.owner > owners.c.owner).scalar_subquery()
    owners = owners.union_all(select(following).where(owners.c.owner.is_not(None)))
    return select(owners.c.owner).where(owners.c.owner.is_not(None), ~is_alive(owners.c.owner))


def ago(span: timedelta) -> ScalarSelect[datetime]:
    """The database's clock so long ago, asked once per statement: an index can be searched by it."""
    return select(after(-span)).scalar_subquery()


def is_overtaken(table: Table, marks: Sequence[Row], margin: timedelta) -> ColumnElement[bool]:
    """Whether a row was dispatched so much earlier than one that was claimed in its lane.

    Args:
        table: With ``queue``, ``priority`` and ``dispatched_at``.
        marks: Rows of `lane_marks`, one at least.
        margin: How much.
    """
    return or_(
        *(
            and_(
                table.c.queue == mark["queue"],
                table.c.priority == mark["priority"],
                table.c.dispatched_at < mark["dispatched_at"] - margin,
            )
            for mark in marks
        )
    )


def is_overdue(table: Table, age: timedelta, lanes: Collection[Lane]) -> ColumnElement[bool]:
    """Whether a row of these lanes has been dispatched for longer than it is waited for.

    That is `age`, and twice as long with each dispatch in vain.

    Args:
        table: With ``queue``, ``priority``, ``dispatched_at`` and ``dispatches``.
        age: How long the first dispatch is waited for.
        lanes: One at least.
    """
    # The first bound is the loosest of those that the second may be: the one to search the index by.
    late = and_(table.c.dispatched_at < ago(age), table.c.dispatched_at < _last_awaited(table, age))
    return and_(_is_among(table, lanes), late)


def _is_among(table: Table, lanes: Collection[Lane]) -> ColumnElement[bool]:
    """Whether a row waits in one of the lanes: queue by queue, as the index of ready rows is searched."""
    priorities: defaultdict[str, list[int]] = defaultdict(list)
    for lane in lanes:
        priorities[lane.queue].append(lane.priority)
    return or_(
        *(
            and_(table.c.queue == queue, table.c.priority.in_(several))
            for queue, several in sorted(priorities.items())
        )
    )


def _last_awaited(table: Table, age: timedelta) -> ColumnElement[datetime]:
    """How old the last dispatch of a row must be, which grows with how many were in vain."""
    steps = ((table.c.dispatches <= n + 1, ago(age * 2**n)) for n in range(_DOUBLINGS))
    return case(*steps, else_=ago(age * 2**_DOUBLINGS))
