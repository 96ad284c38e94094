"""Worker leases in the database: one row per worker process, by the database's clock."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Connection, Executable, delete, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ids import WorkerId
from powerloop.kernel.ports.lease import Held
from powerloop.kernel.queues import Lane
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.tool_tasks import HeldTask, TaskStatus
from powerloop.store.columns import after, now
from powerloop.store.database import Row
from powerloop.store.engine import POSTGRES_OPTIONS, parse_address, sync_engine
from powerloop.store.faults import broke_off, worded
from powerloop.store.lateness import ago
from powerloop.store.patience import answered_within
from powerloop.store.readiness import is_in
from powerloop.store.schema import lane_marks, sends, tool_tasks, worker_leases

#: A renewal that takes longer than a lease lasts is none: rather try again.
_HASTE: Final = {"connect_timeout": "2", "tcp_user_timeout": "2000"}
_ANSWER_WITHIN_S: Final = 2.0

#: A task that was cancelled so long ago was heard of by any heartbeat.
_LATELY: Final = timedelta(minutes=1)


class SqlLeases:
    """The `Leases` port, blocking, on a connection of its own. Safe to use from any one thread at a time.

    Args:
        url: The database, as for `open_store`. Nothing is connected until the first renewal.
    """

    def __init__(self, url: str) -> None:
        self._address = parse_address(url, POSTGRES_OPTIONS | _HASTE)
        self._engine = sync_engine(self._address)

    def renew(self, worker: WorkerId, ttl: timedelta) -> None:
        times = {"renewed_at": now(), "expires_at": after(ttl)}
        renewed = update(worker_leases).where(worker_leases.c.id == worker).values(times)
        if not self._run(renewed.returning(worker_leases.c.id)):
            self._run(insert(worker_leases).values(id=worker, started_at=now(), **times))

    def held(self, worker: WorkerId) -> Sequence[Held]:
        columns = (sends.c.id, sends.c.session_id, sends.c.epoch, sends.c.cancel_requested_at)
        rows = self._run(select(*columns).where(is_in(SendStatus.RUNNING), sends.c.owner == worker))
        return [
            Held(
                send_id=row["id"],
                session_id=row["session_id"],
                epoch=row["epoch"],
                cancel_requested=row["cancel_requested_at"] is not None,
            )
            for row in rows
        ]

    def held_tasks(self, worker: WorkerId) -> Sequence[HeldTask]:
        columns = (tool_tasks.c.id, tool_tasks.c.attempt, sends.c.cancel_requested_at)
        joined = select(*columns).join(sends, sends.c.id == tool_tasks.c.send_id)
        its = joined.where(tool_tasks.c.owner == worker)
        # Each as the condition of a partial index says it: a worker has run any number of tasks.
        running = self._run(its.where(_is_in(TaskStatus.RUNNING)))
        lately = tool_tasks.c.ended_at > ago(_LATELY)
        cancelled = self._run(its.where(_is_in(TaskStatus.CANCELLED), lately))
        return [
            *(_held_task(row, cancelled=row["cancel_requested_at"] is not None) for row in running),
            *(_held_task(row, cancelled=True) for row in cancelled),
        ]

    def raise_marks(self, marks: Mapping[Lane, datetime]) -> None:
        if not marks:
            return
        insert_or_raise = sqlite.insert if self._address.dialect == "sqlite" else postgresql.insert
        # In one order everywhere: workers that beat together would otherwise wait for each other in a ring.
        rows = [{**lane._asdict(), "dispatched_at": marks[lane]} for lane in sorted(marks)]
        added = insert_or_raise(lane_marks).values(rows)
        self._run(
            added.on_conflict_do_update(
                index_elements=[lane_marks.c.queue, lane_marks.c.priority],
                set_={"dispatched_at": added.excluded.dispatched_at},
                where=lane_marks.c.dispatched_at < added.excluded.dispatched_at,
            )
        )

    def release(self, worker: WorkerId) -> None:
        self._run(delete(worker_leases).where(worker_leases.c.id == worker))

    def close(self) -> None:
        self._engine.dispose()

    def _run(self, statement: Executable) -> Sequence[Row]:
        """Run the statement, and once more if the connection was cut: it may be repeated."""
        try:
            return self._run_once(statement)
        except StoreUnavailable as error:
            if not broke_off(error.__cause__):
                raise
        return self._run_once(statement)

    def _run_once(self, statement: Executable) -> Sequence[Row]:
        with worded(self._address.where), self._engine.connect() as connection, self._bounded(connection):
            result = connection.execute(statement)
            return cast("Sequence[Row]", result.mappings().all()) if result.returns_rows else ()

    def _bounded(self, connection: Connection) -> AbstractContextManager[None]:
        if self._address.dialect == "sqlite":
            return nullcontext()
        driver: Any = connection.connection.driver_connection
        return answered_within(_ANSWER_WITHIN_S, driver.fileno())


def _is_in(status: TaskStatus) -> ColumnElement[bool]:
    return tool_tasks.c.status == literal(status.value, literal_execute=True)


def _held_task(row: Row, *, cancelled: bool) -> HeldTask:
    return HeldTask(task_id=row["id"], attempt=row["attempt"], cancelled=cancelled)


def open_leases(url: str) -> SqlLeases:
    """The leases of a database.

    Raises:
        SettingsInvalid: `url` is not the address of a database that powerloop can use.
    """
    return SqlLeases(url)
