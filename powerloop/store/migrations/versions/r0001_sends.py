"""Revision 0001: sessions, sends, messages, tool calls and the ledger."""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_FINAL_SENDS = "'completed', 'failed', 'cancelled', 'expired', 'merged'"
_FINAL_CALLS = "'done', 'failed', 'cancelled'"
_POLICIES = "'enqueue', 'reject', 'interrupt', 'rollback', 'steer'"
_READY = "status = 'queued' AND dispatched_at IS NOT NULL"
_BEHIND = "status = 'queued' AND dispatched_at IS NULL"


def upgrade(op: Operations) -> None:
    """Make every table."""
    _Tables(op).make()


class _Tables:
    def __init__(self, op: Operations) -> None:
        self._op = op
        self._is_sqlite = op.get_context().dialect.name == "sqlite"
        self._schema = None if self._is_sqlite else "powerloop"

    def make(self) -> None:
        self._sessions()
        self._sends()
        self._messages()
        self._tool_calls()
        self._model_calls()

    def _sessions(self) -> None:
        self._table(
            "sessions",
            _text("id"),
            _text("agent"),
            _text("status"),
            sa.Column("metadata", _JSON, nullable=False),
            _number("epoch"),
            _number("seq"),
            _number("accepted"),
            _number("finished"),
            _instant("created_at"),
            _instant("updated_at"),
            sa.Column("policy", sa.Text(), nullable=False, server_default="enqueue"),
            sa.Column("steering", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
            sa.Column("parent_id", sa.Text()),
            sa.Column("lifecycle", sa.Text()),
            sa.Column("spec", _JSON),
            sa.Column("paused_at", _INSTANT),
            sa.PrimaryKeyConstraint("id", name="pk_sessions"),
            _check("ck_sessions_id_length", "length(id) BETWEEN 1 AND 200"),
            _check("ck_sessions_agent_length", "length(agent) BETWEEN 1 AND 100"),
            _check("ck_sessions_status", "status IN ('open', 'closed')"),
            _check("ck_sessions_policy", f"policy IN ({_POLICIES})"),
            _check("ck_sessions_lifecycle", "lifecycle IN ('linked', 'ephemeral', 'detached')"),
            _check("ck_sessions_not_negative", "epoch >= 0 AND seq >= 0 AND finished >= 0 AND steering >= 0"),
            _check("ck_sessions_finished_were_accepted", "finished <= accepted"),
            _check("ck_sessions_origin_is_whole", "(parent_id IS NULL) = (lifecycle IS NULL)"),
            postgresql_with={"fillfactor": 70},
        )
        self._index("ix_sessions_created_at_id", "sessions", ["created_at", "id"])
        self._index("ix_sessions_parent_id", "sessions", ["parent_id"], "parent_id IS NOT NULL")
        if not self._is_sqlite:
            self._index(
                "ix_sessions_metadata",
                "sessions",
                ["metadata"],
                postgresql_using="gin",
                postgresql_ops={"metadata": "jsonb_path_ops"},
            )

    def _sends(self) -> None:
        self._table(
            "sends",
            *_send_columns(),
            sa.PrimaryKeyConstraint("id", name="pk_sends"),
            self._reference("sends", "session_id", "sessions"),
            sa.UniqueConstraint("session_id", "position", name="uq_sends_session_id_position"),
            sa.UniqueConstraint("session_id", "idempotency_key", name="uq_sends_session_id_idempotency_key"),
            *_send_checks(),
        )
        self._index("ix_sends_parent_send_id", "sends", ["parent_send_id"], "parent_send_id IS NOT NULL")
        self._index("ix_sends_root_id", "sends", ["root_id"], "root_id IS NOT NULL")
        self._index("uq_sends_held", "sends", ["session_id"], "status IN ('running', 'waiting')", unique=True)
        self._index("ix_sends_ready", "sends", ["queue", "priority", "dispatched_at"], _READY)
        self._index("ix_sends_behind", "sends", ["session_id", "position"], _BEHIND)
        self._index("ix_sends_waiting", "sends", ["session_id"], "status = 'waiting'")
        self._index("ix_sends_running", "sends", ["owner"], "status = 'running'")
        self._index("ix_sends_created_at_id", "sends", ["created_at", "id"])

    def _messages(self) -> None:
        self._table(
            "messages",
            _text("session_id"),
            _number("seq"),
            _text("role"),
            sa.Column("content", _JSON, nullable=False),
            _text("send_id"),
            _number("epoch"),
            sa.Column("metadata", _JSON, nullable=False),
            _instant("created_at"),
            sa.PrimaryKeyConstraint("session_id", "seq", name="pk_messages"),
            self._reference("messages", "session_id", "sessions"),
            self._reference("messages", "send_id", "sends"),
            _check("ck_messages_role", "role IN ('user', 'assistant', 'tool')"),
            _check("ck_messages_seq", "seq >= 1"),
            _check("ck_messages_epoch", "epoch >= 1"),
        )
        self._index("ix_messages_send_id", "messages", ["send_id"])

    def _tool_calls(self) -> None:
        self._table(
            "tool_calls",
            *_call_columns(),
            sa.PrimaryKeyConstraint("send_id", "round", "call_index", name="pk_tool_calls"),
            self._reference("tool_calls", "send_id", "sends"),
            _check("ck_tool_calls_id_length", "length(id) >= 1"),
            _check("ck_tool_calls_place", "round >= 1 AND call_index >= 0"),
            _check("ck_tool_calls_effect", "effect IN ('read', 'idempotent', 'keyed', 'once')"),
            _check(
                "ck_tool_calls_status",
                f"status IN ('pending', 'running', 'waiting', 'in_doubt', {_FINAL_CALLS})",
            ),
            _check("ck_tool_calls_final_has_ended", f"(status IN ({_FINAL_CALLS})) = (ended_at IS NOT NULL)"),
            _check("ck_tool_calls_final_has_result", f"(status IN ({_FINAL_CALLS})) = (result IS NOT NULL)"),
            _check("ck_tool_calls_sleep_is_whole", "(wakes_at IS NULL) = (wake_result IS NULL)"),
        )
        self._index(
            "ix_tool_calls_asleep", "tool_calls", ["wakes_at"], "status = 'waiting' AND wakes_at IS NOT NULL"
        )
        name = "id" if self._is_sqlite else sa.func.md5(sa.column("id"))
        self._index("uq_tool_calls_id", "tool_calls", ["send_id", name], unique=True)

    def _model_calls(self) -> None:
        counts = ("round", "attempt", "latency_ms", *_TOKENS)
        self._table(
            "model_calls",
            sa.Column("id", _ROW_NUMBER, sa.Identity(always=True), nullable=False),
            _text("session_id"),
            _text("send_id"),
            sa.Column("round", sa.Integer(), nullable=False),
            sa.Column("attempt", sa.Integer(), nullable=False),
            _text("model"),
            _text("purpose"),
            _text("outcome"),
            sa.Column("error_code", sa.Text()),
            sa.Column("estimated", sa.Boolean(), nullable=False),
            *map(_number, _TOKENS),
            _number("latency_ms"),
            sa.Column("cost", sa.BigInteger()),
            _instant("created_at"),
            sa.PrimaryKeyConstraint("id", name="pk_model_calls"),
            self._reference("model_calls", "send_id", "sends"),
            _check("ck_model_calls_outcome", "outcome IN ('ok', 'failed', 'cancelled')"),
            _check("ck_model_calls_not_negative", " AND ".join(f"{name} >= 0" for name in counts)),
            sqlite_autoincrement=True,
        )
        self._index("ix_model_calls_send_id", "model_calls", ["send_id"])

    def _table(self, name: str, *parts: sa.Column[Any] | sa.Constraint, **options: Any) -> None:  # noqa: ANN401 - Alembic's
        self._op.create_table(name, *parts, schema=self._schema, **options)

    def _index(
        self,
        name: str,
        table: str,
        columns: list[Any],
        condition: str | None = None,
        **options: Any,  # noqa: ANN401 - Alembic's
    ) -> None:
        if condition:
            options |= {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}
        self._op.create_index(name, table, columns, schema=self._schema, **options)

    def _reference(self, table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
        place = f"{self._schema}.{target}.id" if self._schema else f"{target}.id"
        return sa.ForeignKeyConstraint([column], [place], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _send_columns() -> list[sa.Column[Any]]:
    return [
        _text("id"),
        _text("session_id"),
        _number("position"),
        _text("status"),
        _text("policy"),
        sa.Column("content", _JSON, nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("dispatches", sa.Integer(), nullable=False),
        _number("epoch"),
        sa.Column("owner", sa.Text()),
        sa.Column("rounds", sa.Integer(), nullable=False),
        *map(_number, _TOKENS),
        sa.Column("stop_reason", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("cancel_requested_at", _INSTANT),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("cancel_actor", sa.Text()),
        sa.Column("output", _JSON, nullable=False),
        _instant("created_at"),
        sa.Column("started_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.Column("dispatched_at", _INSTANT),
        sa.Column("input_seq", sa.BigInteger()),
        sa.Column("lineage", _JSON),
        sa.Column("parent_send_id", sa.Text()),
        sa.Column("root_id", sa.Text()),
        sa.Column("rolled_back", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("budget", _JSON),
        sa.Column("deadline_at", _INSTANT),
        sa.Column("queue", sa.Text(), nullable=False, server_default="powerloop.send"),
    ]


def _send_checks() -> list[sa.CheckConstraint]:
    counts = ("attempt", "strikes", "dispatches", "epoch", "rounds", *_TOKENS)
    return [
        _check("ck_sends_id_length", "length(id) BETWEEN 1 AND 200"),
        _check("ck_sends_idempotency_key_length", "length(idempotency_key) BETWEEN 1 AND 200"),
        _check("ck_sends_queue_length", "length(queue) BETWEEN 1 AND 200"),
        _check("ck_sends_status", f"status IN ('queued', 'running', 'waiting', {_FINAL_SENDS})"),
        _check("ck_sends_policy", f"policy IN ({_POLICIES})"),
        _check(
            "ck_sends_stop_reason",
            "stop_reason IN ('end_turn', 'round_limit', 'budget', 'output_limit', 'refusal')",
        ),
        _check("ck_sends_priority", "priority BETWEEN 0 AND 9"),
        _check("ck_sends_position", "position >= 1"),
        _check("ck_sends_not_negative", " AND ".join(f"{name} >= 0" for name in counts)),
        _check("ck_sends_final_has_ended", f"(status IN ({_FINAL_SENDS})) = (ended_at IS NOT NULL)"),
        _check("ck_sends_completed_has_stop_reason", "(status = 'completed') = (stop_reason IS NOT NULL)"),
        _check("ck_sends_failed_has_error_code", "(status = 'failed') = (error_code IS NOT NULL)"),
        _check("ck_sends_running_has_owner", "status <> 'running' OR owner IS NOT NULL"),
        _check(
            "ck_sends_cancelled_was_requested", "status <> 'cancelled' OR cancel_requested_at IS NOT NULL"
        ),
        _check(
            "ck_sends_cancel_is_whole",
            "(cancel_requested_at IS NULL) = (cancel_reason IS NULL)"
            " AND (cancel_reason IS NULL) = (cancel_actor IS NULL)",
        ),
        _check(
            "ck_sends_lineage_is_whole",
            "(parent_send_id IS NULL) = (root_id IS NULL) AND (root_id IS NULL) = (lineage IS NULL)",
        ),
    ]


def _call_columns() -> list[sa.Column[Any]]:
    return [
        _text("send_id"),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("call_index", sa.Integer(), nullable=False),
        _text("id"),
        _text("session_id"),
        _text("name"),
        sa.Column("arguments", _JSON, nullable=False),
        _text("effect"),
        _text("status"),
        sa.Column("result", sa.Text()),
        sa.Column("full_result", sa.Text()),
        _number("epoch"),
        _instant("created_at"),
        sa.Column("started_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.Column("approved", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("wakes_at", _INSTANT),
        sa.Column("wake_result", sa.Text()),
    ]


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _instant(name: str) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=False)


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=name)
