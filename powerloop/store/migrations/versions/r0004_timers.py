"""Revision 0004: timers and what became of their ticks; what beats know of each other."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_FINAL = "status IN ('done', 'cancelled')"


def upgrade(op: Operations) -> None:
    """Make the four tables, and have agents say whether their hooks are asked."""
    schema = None if op.get_context().dialect.name == "sqlite" else "powerloop"
    asks: sa.Column[Any] = sa.Column("asks_timers", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("agents", asks, schema=schema)
    _timers(op, schema)
    _firings(op, schema)
    _beats(op, schema)


def _timers(op: Operations, schema: str | None) -> None:
    op.create_table(
        "timers",
        _text("id"),
        sa.Column("session_id", sa.Text()),
        *map(_text, ("agent", "owner", "status", "reason")),
        sa.Column("plan", _JSON, nullable=False),
        *(sa.Column(name, _INSTANT) for name in ("tick_at", "due_at", "asked_at", "held_at")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("fires", "skips")),
        sa.Column("last_send_id", sa.Text()),
        sa.Column("last_tick_at", _INSTANT),
        *(sa.Column(name, _INSTANT, nullable=False) for name in ("created_at", "armed_at")),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_timers"),
        _reference("timers", "session_id", _of(schema, "sessions.id")),
        *_checks(
            "timers",
            {
                "id_length": "length(id) BETWEEN 1 AND 120",
                "agent_length": "length(agent) BETWEEN 1 AND 100",
                "status": "status IN ('armed', 'paused', 'done', 'cancelled')",
                "owner": "owner IN ('producer', 'agent')",
                "not_negative": "fires >= 0 AND skips >= 0",
                "final_has_ended": f"({_FINAL}) = (ended_at IS NOT NULL)",
                "final_is_due_no_more": "ended_at IS NULL OR (due_at IS NULL AND held_at IS NULL)",
                "armed_is_due": "status <> 'armed' OR due_at IS NOT NULL OR held_at IS NOT NULL",
                "tick_is_due": "(tick_at IS NULL) = (due_at IS NULL)",
            },
        ),
        schema=schema,
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_timers_session_id", "timers", ["session_id"], schema=schema)
    op.create_index("ix_timers_created_at_id", "timers", ["created_at", "id"], schema=schema)
    for name, column, condition in (
        ("ix_timers_due", "due_at", "status = 'armed' AND due_at IS NOT NULL"),
        ("ix_timers_held", "held_at", "status = 'armed' AND held_at IS NOT NULL"),
        ("ix_timers_live", "agent", "ended_at IS NULL"),
        ("ix_timers_ended", "ended_at", "ended_at IS NOT NULL"),
    ):
        _index(op, schema, "timers", name, [column], condition)


def _firings(op: Operations, schema: str | None) -> None:
    op.create_table(
        "timer_firings",
        _text("timer_id"),
        sa.Column("tick_at", _INSTANT, nullable=False),
        _text("outcome"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("send_id", sa.Text()),
        _text("detail"),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("timer_id", "tick_at", name="pk_timer_firings"),
        _reference("timer_firings", "timer_id", _of(schema, "timers.id")),
        *_checks(
            "timer_firings",
            {
                "outcome": "outcome IN ('fired', 'held', 'skipped', 'vetoed', 'missed')",
                "fired_has_send": "(outcome = 'fired') = (send_id IS NOT NULL)",
                "fired_has_number": "(outcome = 'fired') = (number >= 1)",
            },
        ),
        schema=schema,
    )
    _index(op, schema, "timer_firings", "uq_timer_firings_number", ["timer_id", "number"], "number >= 1")
    op.create_index("ix_timer_firings_at", "timer_firings", ["at"], schema=schema)


def _beats(op: Operations, schema: str | None) -> None:
    op.create_table(
        "beats",
        _text("name"),
        *(sa.Column(name, _INSTANT, nullable=False) for name in ("alive_at", "back_at")),
        _text("leader"),
        sa.Column("lead_until", _INSTANT),
        sa.PrimaryKeyConstraint("name", name="pk_beats"),
        schema=schema,
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "beat_entries",
        _text("name"),
        sa.Column("last_run_at", _INSTANT, nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_beat_entries"),
        schema=schema,
    )


def _checks(table: str, conditions: dict[str, str]) -> list[sa.CheckConstraint]:
    return [
        sa.CheckConstraint(condition, name=f"ck_{table}_{name}") for name, condition in conditions.items()
    ]


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


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)
