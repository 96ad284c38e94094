"""The tables of timers: what is to fire, what has become of each tick, and what beats know of each other."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.ids import MAX_TIMER_ID_LENGTH
from powerloop.kernel.timers import FiringOutcome, TimerOwner, TimerStatus
from powerloop.store.columns import Instant, StoredJson
from powerloop.store.schema.conversations import sessions
from powerloop.store.schema.declaring import counts, listed, metadata, one_of, partial, short

_FINAL = listed(status for status in TimerStatus if status.is_final)
_ARMED = f"status = '{TimerStatus.ARMED}'"

timers = Table(
    "timers",
    metadata,
    Column("id", Text, primary_key=True),
    # The session that it wakes; null: each tick has a fresh one.
    Column("session_id", ForeignKey(sessions.c.id, ondelete="CASCADE"), index=True),
    Column("agent", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("plan", StoredJson, nullable=False),
    Column("tick_at", Instant),
    Column("due_at", Instant),
    Column("asked_at", Instant),
    Column("held_at", Instant),
    Column("fires", Integer, nullable=False),
    Column("skips", Integer, nullable=False),
    Column("last_send_id", Text),
    Column("last_tick_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("armed_at", Instant, nullable=False),
    Column("ended_at", Instant),
    short("id", MAX_TIMER_ID_LENGTH),
    short("agent", MAX_AGENT_NAME_LENGTH),
    one_of("status", TimerStatus),
    one_of("owner", TimerOwner),
    counts("fires", "skips"),
    CheckConstraint(f"(status IN ({_FINAL})) = (ended_at IS NOT NULL)", name="final_has_ended"),
    CheckConstraint("ended_at IS NULL OR (due_at IS NULL AND held_at IS NULL)", name="final_is_due_no_more"),
    CheckConstraint(
        f"status <> '{TimerStatus.ARMED}' OR due_at IS NOT NULL OR held_at IS NOT NULL", name="armed_is_due"
    ),
    CheckConstraint("(tick_at IS NULL) = (due_at IS NULL)", name="tick_is_due"),
    Index("ix_timers_due", "due_at", **partial(text(f"{_ARMED} AND due_at IS NOT NULL"))),
    Index("ix_timers_held", "held_at", **partial(text(f"{_ARMED} AND held_at IS NOT NULL"))),
    Index("ix_timers_live", "agent", **partial(text("ended_at IS NULL"))),
    Index("ix_timers_ended", "ended_at", **partial(text("ended_at IS NOT NULL"))),
    Index(None, "created_at", "id"),
    # A row is updated with each tick.
    postgresql_with={"fillfactor": 70},
)

# What became of each tick.
timer_firings = Table(
    "timer_firings",
    metadata,
    Column("timer_id", ForeignKey(timers.c.id, ondelete="CASCADE"), nullable=False),
    Column("tick_at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("send_id", Text),
    Column("detail", Text, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("timer_id", "tick_at"),
    one_of("outcome", FiringOutcome),
    CheckConstraint(f"(outcome = '{FiringOutcome.FIRED}') = (send_id IS NOT NULL)", name="fired_has_send"),
    CheckConstraint(f"(outcome = '{FiringOutcome.FIRED}') = (number >= 1)", name="fired_has_number"),
    # One tick made each send.
    Index("uq_timer_firings_number", "timer_id", "number", unique=True, **partial(text("number >= 1"))),
    Index(None, "at"),
)

# One row: whether beats run, since when, and who of them leads.
beats = Table(
    "beats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("alive_at", Instant, nullable=False),
    Column("back_at", Instant, nullable=False),
    Column("leader", Text, nullable=False),
    Column("lead_until", Instant),
    # Written every second by each beat.
    postgresql_with={"fillfactor": 50},
)

# Entries of Celery's own beat_schedule that were sent.
beat_entries = Table(
    "beat_entries",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last_run_at", Instant, nullable=False),
    Column("runs", Integer, nullable=False),
)
