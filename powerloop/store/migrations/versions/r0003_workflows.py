"""Revision 0003: runs of workflows, their nodes, items and inbox; stored workflows."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FINAL = "status IN ('done', 'skipped', 'failed', 'cancelled')"
_UNDER_WAY = "status IN ('open', 'running', 'delayed')"


def upgrade(op: Operations) -> None:
    """Make the five tables."""
    schema = None if op.get_context().dialect.name == "sqlite" else "powerloop"
    _runs(op, schema)
    _nodes(op, schema)
    _items(op, schema)
    _inbox(op, schema)
    _specs(op, schema)


def _runs(op: Operations, schema: str | None) -> None:
    op.create_table(
        "workflow_runs",
        *map(_text, ("id", "send_id", "call_id", "session_id")),
        sa.Column("owner_id", sa.Text()),
        _text("name"),
        sa.Column("spec", _JSON, nullable=False),
        sa.Column("input", _JSON),
        _text("status"),
        sa.Column("value", _JSON),
        *map(_text, ("code", "message")),
        sa.Column("resume", _JSON),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("paused_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_runs"),
        _reference("workflow_runs", "send_id", _of(schema, "sends.id")),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 200", name="ck_workflow_runs_id_length"),
        sa.CheckConstraint(
            "status IN ('open', 'done', 'failed', 'cancelled')", name="ck_workflow_runs_status"
        ),
        sa.CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="ck_workflow_runs_final_has_ended"),
        sa.CheckConstraint("(status = 'failed') = (code <> '')", name="ck_workflow_runs_failed_has_code"),
        schema=schema,
    )
    op.create_index("ix_workflow_runs_send_id", "workflow_runs", ["send_id"], schema=schema)
    op.create_index("ix_workflow_runs_created_at_id", "workflow_runs", ["created_at", "id"], schema=schema)
    _index(op, schema, "workflow_runs", "ix_workflow_runs_open", ["created_at", "id"], "status = 'open'")


def _nodes(op: Operations, schema: str | None) -> None:
    op.create_table(
        "workflow_nodes",
        *map(_text, ("id", "run_id")),
        sa.Column("parent_id", sa.Text()),
        _integer("place"),
        *map(_text, ("path", "type")),
        sa.Column("name", sa.Text()),
        _text("frame_id"),
        _integer("attempt"),
        _text("status"),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("opened", _JSON),
        *map(_integer, ("total", "begun", "ended", "done", "bad")),
        sa.Column("fell_back", sa.Boolean(), nullable=False),
        sa.Column("value", _JSON),
        sa.Column("value_id", sa.Text()),
        *map(_text, ("code", "message")),
        sa.Column("tolerated", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("send_id", "signal")),
        *(sa.Column(name, _INSTANT) for name in ("wakes_at", "deadline_at")),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_nodes"),
        _reference("workflow_nodes", "run_id", _of(schema, "workflow_runs.id")),
        *_node_checks(),
        schema=schema,
        postgresql_with={"fillfactor": 70},
    )
    _node_indexes(op, schema)


def _node_checks() -> list[sa.CheckConstraint]:
    conditions = {
        "status": (
            "status IN ('open', 'running', 'landed', 'delayed', 'done', 'skipped', 'failed', 'cancelled')"
        ),
        "not_negative": "total >= 0 AND begun >= 0 AND ended >= 0 AND done >= 0 AND bad >= 0",
        "place": "attempt >= 1 AND place >= -1",
        "tally": "begun <= total AND ended <= begun AND done + bad <= ended",
        "final_has_ended": f"({_FINAL}) = (ended_at IS NOT NULL)",
        "failed_has_code": "(status = 'failed') = (code <> '')",
    }
    return [
        sa.CheckConstraint(condition, name=f"ck_workflow_nodes_{name}")
        for name, condition in conditions.items()
    ]


def _node_indexes(op: Operations, schema: str | None) -> None:
    table = "workflow_nodes"
    op.create_index("ix_workflow_nodes_run_id", table, ["run_id"], schema=schema)
    for name, columns, condition in (
        ("uq_workflow_nodes_current", ["parent_id", "place"], "current"),
        ("uq_workflow_nodes_name", ["frame_id", "name"], "current AND name IS NOT NULL"),
        ("ix_workflow_nodes_parent_id", ["parent_id"], "parent_id IS NOT NULL"),
        ("ix_workflow_nodes_landed", ["run_id"], "status = 'landed'"),
        ("ix_workflow_nodes_waking", ["wakes_at"], f"{_UNDER_WAY} AND wakes_at IS NOT NULL"),
        ("ix_workflow_nodes_timed", ["deadline_at"], f"{_UNDER_WAY} AND deadline_at IS NOT NULL"),
        (
            "ix_workflow_nodes_listening",
            ["run_id", "signal"],
            "status = 'running' AND signal IS NOT NULL",
        ),
    ):
        _index(op, schema, table, name, columns, condition)


def _items(op: Operations, schema: str | None) -> None:
    op.create_table(
        "workflow_items",
        _text("node_id"),
        sa.Column("place", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("value", _JSON),
        sa.PrimaryKeyConstraint("node_id", "place", name="pk_workflow_items"),
        _reference("workflow_items", "node_id", _of(schema, "workflow_nodes.id")),
        schema=schema,
    )


def _inbox(op: Operations, schema: str | None) -> None:
    op.create_table(
        "workflow_inbox",
        sa.Column("id", _ROW_NUMBER, sa.Identity(always=True), nullable=False),
        _text("run_id"),
        *(sa.Column(name, sa.Text()) for name in ("signal", "path")),
        sa.Column("payload", _JSON),
        sa.Column("key", sa.Text()),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("taken_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_inbox"),
        _reference("workflow_inbox", "run_id", _of(schema, "workflow_runs.id")),
        sa.UniqueConstraint("run_id", "key", name="uq_workflow_inbox_run_id_key"),
        sa.CheckConstraint("(signal IS NULL) <> (path IS NULL)", name="ck_workflow_inbox_says_one_thing"),
        schema=schema,
        sqlite_autoincrement=True,
    )
    _index(op, schema, "workflow_inbox", "ix_workflow_inbox_untaken", ["run_id", "id"], "taken_at IS NULL")


def _specs(op: Operations, schema: str | None) -> None:
    op.create_table(
        "workflow_specs",
        _text("name"),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("spec", _JSON, nullable=False),
        *map(_text, ("digest", "note")),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_workflow_specs"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="ck_workflow_specs_name_length"),
        sa.CheckConstraint("version >= 1", name="ck_workflow_specs_version"),
        schema=schema,
    )


def _index(
    op: Operations, schema: str | None, table: str, name: str, columns: list[str], condition: str
) -> None:
    where = sa.text(condition)
    unique = name.startswith("uq_")
    op.create_index(
        name, table, columns, schema=schema, unique=unique, postgresql_where=where, sqlite_where=where
    )


def _of(schema: str | None, column: str) -> str:
    return f"{schema}.{column}" if schema else column


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _integer(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)
