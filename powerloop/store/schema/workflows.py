"""The tables of workflows: runs, their nodes, items and inbox; and workflows that are stored by name."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from powerloop.kernel.ports.workflow_specs import MAX_NAME_LENGTH
from powerloop.kernel.workflows import NodeStatus, RunStatus
from powerloop.store.columns import Instant, RowNumber, StoredJson
from powerloop.store.schema.conversations import sends
from powerloop.store.schema.declaring import counts, listed, metadata, one_of, partial, short

_OPEN_RUN = text(f"status = '{RunStatus.OPEN}'")
_FINAL = listed(status for status in NodeStatus if status.is_final)
_LANDED = text(f"status = '{NodeStatus.LANDED}'")
_UNDER_WAY = f"status IN ({listed((NodeStatus.OPEN, NodeStatus.RUNNING, NodeStatus.DELAYED))})"

workflow_runs = Table(
    "workflow_runs",
    metadata,
    Column("id", Text, primary_key=True),
    # What drives it now, and the call of it that waits.
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("call_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    # The session that is told of its end.
    Column("owner_id", Text),
    Column("name", Text, nullable=False),
    Column("spec", StoredJson, nullable=False),
    Column("input", StoredJson),
    Column("status", Text, nullable=False),
    Column("value", StoredJson),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    # What a resume that was asked for repairs; null once that is done.
    Column("resume", StoredJson),
    Column("priority", SmallInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("paused_at", Instant),
    Column("ended_at", Instant),
    short("id"),
    one_of("status", RunStatus),
    CheckConstraint(f"(status = '{RunStatus.OPEN}') = (ended_at IS NULL)", name="final_has_ended"),
    CheckConstraint(f"(status = '{RunStatus.FAILED}') = (code <> '')", name="failed_has_code"),
    Index("ix_workflow_runs_open", "created_at", "id", **partial(_OPEN_RUN)),
    Index(None, "created_at", "id"),
)

workflow_nodes = Table(
    "workflow_nodes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", ForeignKey(workflow_runs.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("parent_id", Text),
    Column("place", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text),
    Column("frame_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("opened", StoredJson),
    Column("total", Integer, nullable=False),
    Column("begun", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("fell_back", Boolean, nullable=False),
    Column("value", StoredJson),
    Column("value_id", Text),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("tolerated", Boolean, nullable=False),
    Column("send_id", Text),
    Column("signal", Text),
    Column("wakes_at", Instant),
    Column("deadline_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    one_of("status", NodeStatus),
    counts("total", "begun", "ended", "done", "bad"),
    CheckConstraint("attempt >= 1 AND place >= -1", name="place"),
    CheckConstraint("begun <= total AND ended <= begun AND done + bad <= ended", name="tally"),
    CheckConstraint(f"(status IN ({_FINAL})) = (ended_at IS NOT NULL)", name="final_has_ended"),
    CheckConstraint(f"(status = '{NodeStatus.FAILED}') = (code <> '')", name="failed_has_code"),
    # One attempt at each node is the last.
    Index("uq_workflow_nodes_current", "parent_id", "place", unique=True, **partial(text("current"))),
    # A name has one value in its frame.
    Index(
        "uq_workflow_nodes_name",
        "frame_id",
        "name",
        unique=True,
        **partial(text("current AND name IS NOT NULL")),
    ),
    Index("ix_workflow_nodes_parent_id", "parent_id", **partial(text("parent_id IS NOT NULL"))),
    Index("ix_workflow_nodes_landed", "run_id", **partial(_LANDED)),
    Index("ix_workflow_nodes_waking", "wakes_at", **partial(text(f"{_UNDER_WAY} AND wakes_at IS NOT NULL"))),
    Index(
        "ix_workflow_nodes_timed", "deadline_at", **partial(text(f"{_UNDER_WAY} AND deadline_at IS NOT NULL"))
    ),
    Index(
        "ix_workflow_nodes_listening",
        "run_id",
        "signal",
        **partial(text(f"status = '{NodeStatus.RUNNING}' AND signal IS NOT NULL")),
    ),
    # The row of a fan-out is updated with each end in it.
    postgresql_with={"fillfactor": 70},
)

# What each iteration of a foreach is about.
workflow_items = Table(
    "workflow_items",
    metadata,
    Column("node_id", ForeignKey(workflow_nodes.c.id, ondelete="CASCADE"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("value", StoredJson),
    PrimaryKeyConstraint("node_id", "place"),
)

# Signals, and nodes that a person passes over, until a node takes them.
workflow_inbox = Table(
    "workflow_inbox",
    metadata,
    Column("id", RowNumber, Identity(always=True), primary_key=True),
    Column("run_id", ForeignKey(workflow_runs.c.id, ondelete="CASCADE"), nullable=False),
    # A signal; or the path of a node, to pass over.
    Column("signal", Text),
    Column("path", Text),
    Column("payload", StoredJson),
    Column("key", Text),
    Column("created_at", Instant, nullable=False),
    Column("taken_at", Instant),
    UniqueConstraint("run_id", "key"),
    CheckConstraint("(signal IS NULL) <> (path IS NULL)", name="says_one_thing"),
    Index("ix_workflow_inbox_untaken", "run_id", "id", **partial(text("taken_at IS NULL"))),
    sqlite_autoincrement=True,
)

# Workflows that are stored by name. A version is never changed.
workflow_specs = Table(
    "workflow_specs",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False, autoincrement=False),
    Column("spec", StoredJson, nullable=False),
    Column("digest", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("name", "version"),
    short("name", MAX_NAME_LENGTH),
    CheckConstraint("version >= 1", name="version"),
)
