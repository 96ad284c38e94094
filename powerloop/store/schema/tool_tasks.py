"""The table of tool tasks: calls that run on queues of their own."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    text,
)

from powerloop.kernel.tool_tasks import TaskStatus
from powerloop.store.columns import Instant, StoredJson
from powerloop.store.schema.conversations import sends
from powerloop.store.schema.declaring import counts, listed, metadata, one_of, partial, short

_FINAL = listed(status for status in TaskStatus if status.is_final)
_RUNNING = text(f"status = '{TaskStatus.RUNNING}'")
_CANCELLED = text(f"status = '{TaskStatus.CANCELLED}'")
_READY = text(f"status = '{TaskStatus.QUEUED}'")

tool_tasks = Table(
    "tool_tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, nullable=False),
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False),
    Column("root_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("arguments", StoredJson, nullable=False),
    Column("edited", Boolean, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    # How many times it was made ready for a worker, by whatever did so.
    Column("dispatches", Integer, nullable=False),
    Column("owner", Text),
    Column("created_at", Instant, nullable=False),
    # When it was last made ready for a worker: since then it is to be in the broker.
    Column("dispatched_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    short("id"),
    short("queue"),
    one_of("status", TaskStatus),
    CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
    counts("attempt", "strikes", "dispatches"),
    CheckConstraint(f"(status IN ({_FINAL})) = (ended_at IS NOT NULL)", name="final_has_ended"),
    CheckConstraint(f"status <> '{TaskStatus.RUNNING}' OR owner IS NOT NULL", name="running_has_owner"),
    Index("ix_tool_tasks_ready", "queue", "priority", "dispatched_at", **partial(_READY)),
    Index("ix_tool_tasks_running", "owner", **partial(_RUNNING)),
    Index("ix_tool_tasks_cancelled", "owner", "ended_at", **partial(_CANCELLED)),
    Index(None, "send_id"),
)
