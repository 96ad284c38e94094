"""Revision 0002: interactions, early cancels, how far the queues were taken, budgets,
leases and agents."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_OPEN = sa.text("status = 'open'")
_EXPIRING = sa.text("status = 'open' AND expires_at IS NOT NULL")


def upgrade(op: Operations) -> None:
    """Make the eight tables."""
    schema = None if op.get_context().dialect.name == "sqlite" else "powerloop"
    _interactions(op, schema)
    _budgets(op, schema)
    _reservations(op, schema)
    _of_recovery(op, schema)
    _of_workers(op, schema)
    _tool_tasks(op, schema)


def _of_recovery(op: Operations, schema: str | None) -> None:
    op.create_table(
        "early_cancels",
        _text("send_id"),
        _text("reason"),
        _text("actor"),
        sa.Column("requested_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("send_id", name="pk_early_cancels"),
        sa.CheckConstraint("length(send_id) BETWEEN 1 AND 200", name="ck_early_cancels_send_id_length"),
        schema=schema,
    )
    op.create_table(
        "lane_marks",
        _text("queue"),
        sa.Column("priority", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("dispatched_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("queue", "priority", name="pk_lane_marks"),
        sa.CheckConstraint("length(queue) BETWEEN 1 AND 200", name="ck_lane_marks_queue_length"),
        sa.CheckConstraint("priority BETWEEN 0 AND 9", name="ck_lane_marks_priority"),
        schema=schema,
        postgresql_with={"fillfactor": 50},
    )


def _of_workers(op: Operations, schema: str | None) -> None:
    op.create_table(
        "worker_leases",
        _text("id"),
        *(sa.Column(name, _INSTANT, nullable=False) for name in ("started_at", "renewed_at", "expires_at")),
        sa.PrimaryKeyConstraint("id", name="pk_worker_leases"),
        sa.CheckConstraint("length(id) BETWEEN 1 AND 200", name="ck_worker_leases_id_length"),
        schema=schema,
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "agents",
        _text("name"),
        _text("model"),
        sa.Column("announced_at", _INSTANT, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False, server_default="enqueue"),
        sa.CheckConstraint(
            "policy IN ('enqueue', 'reject', 'interrupt', 'rollback', 'steer')", name="ck_agents_policy"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_agents"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name="ck_agents_name_length"),
        schema=schema,
    )


def _tool_tasks(op: Operations, schema: str | None) -> None:
    op.create_table(
        "tool_tasks",
        *map(_text, ("id", "session_id", "send_id", "root_id", "call_id", "tool", "queue")),
        sa.Column("arguments", _JSON, nullable=False),
        sa.Column("edited", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        _text("status"),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("attempt", "strikes", "dispatches")),
        sa.Column("owner", sa.Text()),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("dispatched_at", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_tool_tasks"),
        _reference("tool_tasks", "send_id", _of(schema, "sends.id")),
        *_task_checks(),
        schema=schema,
    )
    op.create_index("ix_tool_tasks_send_id", "tool_tasks", ["send_id"], schema=schema)
    for name, columns, condition in (
        ("ix_tool_tasks_ready", ["queue", "priority", "dispatched_at"], sa.text("status = 'queued'")),
        ("ix_tool_tasks_running", ["owner"], sa.text("status = 'running'")),
        ("ix_tool_tasks_cancelled", ["owner", "ended_at"], sa.text("status = 'cancelled'")),
    ):
        op.create_index(
            name,
            "tool_tasks",
            columns,
            schema=schema,
            postgresql_where=condition,
            sqlite_where=condition,
        )


def _task_checks() -> list[sa.CheckConstraint]:
    conditions = {
        "id_length": "length(id) BETWEEN 1 AND 200",
        "queue_length": "length(queue) BETWEEN 1 AND 200",
        "status": "status IN ('queued', 'running', 'ended', 'cancelled')",
        "priority": "priority BETWEEN 0 AND 9",
        "not_negative": "attempt >= 0 AND strikes >= 0 AND dispatches >= 0",
        "final_has_ended": "(status IN ('ended', 'cancelled')) = (ended_at IS NOT NULL)",
        "running_has_owner": "status <> 'running' OR owner IS NOT NULL",
    }
    return [
        sa.CheckConstraint(condition, name=f"ck_tool_tasks_{name}") for name, condition in conditions.items()
    ]


def _interactions(op: Operations, schema: str | None) -> None:
    op.create_table(
        "interactions",
        *map(_text, ("id", "kind", "status", "session_id", "send_id", "call_id", "tool")),
        sa.Column("arguments", _JSON, nullable=False),
        _text("prompt"),
        sa.Column("answer", _JSON),
        _text("actor"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("closed_at", _INSTANT),
        sa.Column("schema", _JSON),
        sa.Column("choices", _JSON),
        sa.Column("default_answer", _JSON),
        sa.Column("expires_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_interactions"),
        _reference("interactions", "send_id", _of(schema, "sends.id")),
        sa.CheckConstraint("length(id) >= 1", name="ck_interactions_id_length"),
        sa.CheckConstraint("kind IN ('input', 'approval', 'in_doubt')", name="ck_interactions_kind"),
        sa.CheckConstraint(
            "status IN ('open', 'answered', 'expired', 'withdrawn')", name="ck_interactions_status"
        ),
        sa.CheckConstraint(
            "(status = 'open') = (closed_at IS NULL)", name="ck_interactions_closed_has_closed_at"
        ),
        sa.CheckConstraint(
            "(status = 'answered') = (answer IS NOT NULL)", name="ck_interactions_answered_has_answer"
        ),
        schema=schema,
    )
    _index_interactions(op, schema)


def _index_interactions(op: Operations, schema: str | None) -> None:
    op.create_index("ix_interactions_send_id", "interactions", ["send_id"], schema=schema)
    op.create_index(
        "ix_interactions_open",
        "interactions",
        ["created_at", "id"],
        schema=schema,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    op.create_index(
        "ix_interactions_expiring",
        "interactions",
        ["expires_at"],
        schema=schema,
        postgresql_where=_EXPIRING,
        sqlite_where=_EXPIRING,
    )


def _budgets(op: Operations, schema: str | None) -> None:
    op.create_table(
        "budgets",
        _text("send_id"),
        sa.Column("max_input_tokens", sa.BigInteger()),
        sa.Column("max_output_tokens", sa.BigInteger()),
        sa.Column("max_total_tokens", sa.BigInteger()),
        sa.Column("max_cost", sa.BigInteger()),
        *map(_number, ("input_tokens", "output_tokens", "cost")),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("send_id", name="pk_budgets"),
        _reference("budgets", "send_id", _of(schema, "sends.id")),
        sa.CheckConstraint(
            "input_tokens >= 0 AND output_tokens >= 0 AND cost >= 0", name="ck_budgets_not_negative"
        ),
        sa.CheckConstraint(
            "max_input_tokens > 0 AND max_output_tokens > 0 AND max_total_tokens > 0 AND max_cost > 0",
            name="ck_budgets_positive_limits",
        ),
        schema=schema,
        postgresql_with={"fillfactor": 50},
    )


def _reservations(op: Operations, schema: str | None) -> None:
    op.create_table(
        "reservations",
        _text("budget_id"),
        _text("send_id"),
        *map(_number, ("epoch", "input_tokens", "output_tokens", "cost")),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "send_id", name="pk_reservations"),
        _reference("reservations", "budget_id", _of(schema, "budgets.send_id")),
        _reference("reservations", "send_id", _of(schema, "sends.id")),
        sa.CheckConstraint(
            "epoch >= 0 AND input_tokens >= 0 AND output_tokens >= 0 AND cost >= 0",
            name="ck_reservations_not_negative",
        ),
        schema=schema,
    )
    op.create_index("ix_reservations_send_id", "reservations", ["send_id"], schema=schema)


def _of(schema: str | None, column: str) -> str:
    return f"{schema}.{column}" if schema else column


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)
