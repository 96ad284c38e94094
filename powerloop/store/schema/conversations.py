"""The tables of conversations: sessions, their sends and messages, tool calls, their cost and questions."""

from sqlalchemy import (
    BigInteger,
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
    false,
    func,
    text,
)

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.interactions import InteractionKind, InteractionStatus
from powerloop.kernel.messages import Role
from powerloop.kernel.policies import Policy
from powerloop.kernel.queues import SEND_QUEUE
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.kernel.sessions import Lifecycle, SessionStatus
from powerloop.kernel.usage import CallOutcome
from powerloop.store.columns import Instant, RowNumber, StoredJson
from powerloop.store.schema.declaring import (
    TOKEN_COLUMNS,
    counts,
    listed,
    metadata,
    one_of,
    partial,
    short,
    tokens,
)

_FINAL_SENDS = listed(status for status in SendStatus if status.is_final)
_FINAL_CALLS = listed(status for status in CallStatus if status.is_final)
#: The states that keep a session's place: at most one of its sends is in them.
_HELD = text(f"status IN ({listed((SendStatus.RUNNING, SendStatus.WAITING))})")
_READY = text(f"status = '{SendStatus.QUEUED}' AND dispatched_at IS NOT NULL")
_BEHIND = text(f"status = '{SendStatus.QUEUED}' AND dispatched_at IS NULL")
_WAITING = text(f"status = '{SendStatus.WAITING}'")
_OPEN = text(f"status = '{InteractionStatus.OPEN}'")
_EXPIRING = text(f"status = '{InteractionStatus.OPEN}' AND expires_at IS NOT NULL")
_ASLEEP = text(f"status = '{CallStatus.WAITING}' AND wakes_at IS NOT NULL")
_RUNNING = text(f"status = '{SendStatus.RUNNING}'")

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("metadata", StoredJson, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("finished", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # What happens to a send that says nothing about it and finds the session busy.
    Column("policy", Text, nullable=False, server_default=Policy.ENQUEUE.value),
    # Sends that wait to be merged into one that has started.
    Column("steering", BigInteger, nullable=False, server_default=text("0")),
    # Whose sub-agent it is. Without a foreign key: one that is detached outlives its parent.
    Column("parent_id", Text),
    Column("lifecycle", Text),
    Column("spec", StoredJson),
    # Since when none of its sends is claimed.
    Column("paused_at", Instant),
    short("id"),
    short("agent", MAX_AGENT_NAME_LENGTH),
    one_of("status", SessionStatus),
    one_of("policy", Policy),
    one_of("lifecycle", Lifecycle),
    counts("epoch", "seq", "finished", "steering"),
    CheckConstraint("finished <= accepted", name="finished_were_accepted"),
    CheckConstraint("(parent_id IS NULL) = (lifecycle IS NULL)", name="origin_is_whole"),
    Index(None, "created_at", "id"),
    Index("ix_sessions_parent_id", "parent_id", **partial(text("parent_id IS NOT NULL"))),
    # Every commit of a send updates its row: the space left on its page keeps those updates off the indexes.
    postgresql_with={"fillfactor": 70},
)
Index(
    "ix_sessions_metadata",
    sessions.c.metadata,
    postgresql_using="gin",
    postgresql_ops={"metadata": "jsonb_path_ops"},
).ddl_if(dialect="postgresql")

sends = Table(
    "sends",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", ForeignKey(sessions.c.id, ondelete="CASCADE"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("content", StoredJson, nullable=False),
    Column("idempotency_key", Text),
    Column("priority", SmallInteger, nullable=False),
    Column("metadata", StoredJson, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    # How many times it was made ready for a worker, by whatever did so.
    Column("dispatches", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", Text),
    Column("rounds", Integer, nullable=False),
    *tokens(),
    Column("stop_reason", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("cancel_requested_at", Instant),
    Column("cancel_reason", Text),
    Column("cancel_actor", Text),
    Column("output", StoredJson, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    # When it was last made ready for a worker: since then it is to be in the broker. Null: not a head yet.
    Column("dispatched_at", Instant),
    # The place of its input in the log: set by the first claim, which puts it there.
    Column("input_seq", BigInteger),
    # Where the send of a sub-agent comes from; two of its ids once more, to be found by.
    Column("lineage", StoredJson),
    Column("parent_send_id", Text),
    Column("root_id", Text),
    # Whether the model sees its messages no more.
    Column("rolled_back", Boolean, nullable=False, server_default=false()),
    # What it may use, and when its time is over.
    Column("budget", StoredJson),
    Column("deadline_at", Instant),
    # Where it waits for a worker.
    Column("queue", Text, nullable=False, server_default=SEND_QUEUE),
    UniqueConstraint("session_id", "position"),
    UniqueConstraint("session_id", "idempotency_key"),
    short("id"),
    short("idempotency_key"),
    short("queue"),
    one_of("status", SendStatus),
    one_of("policy", Policy),
    one_of("stop_reason", StopReason),
    CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
    CheckConstraint("position >= 1", name="position"),
    counts("attempt", "strikes", "dispatches", "epoch", "rounds", *TOKEN_COLUMNS),
    CheckConstraint(f"(status IN ({_FINAL_SENDS})) = (ended_at IS NOT NULL)", name="final_has_ended"),
    CheckConstraint(
        f"(status = '{SendStatus.COMPLETED}') = (stop_reason IS NOT NULL)", name="completed_has_stop_reason"
    ),
    CheckConstraint(
        f"(status = '{SendStatus.FAILED}') = (error_code IS NOT NULL)", name="failed_has_error_code"
    ),
    CheckConstraint(f"status <> '{SendStatus.RUNNING}' OR owner IS NOT NULL", name="running_has_owner"),
    CheckConstraint(
        f"status <> '{SendStatus.CANCELLED}' OR cancel_requested_at IS NOT NULL",
        name="cancelled_was_requested",
    ),
    CheckConstraint(
        "(cancel_requested_at IS NULL) = (cancel_reason IS NULL)"
        " AND (cancel_reason IS NULL) = (cancel_actor IS NULL)",
        name="cancel_is_whole",
    ),
    CheckConstraint(
        "(parent_send_id IS NULL) = (root_id IS NULL) AND (root_id IS NULL) = (lineage IS NULL)",
        name="lineage_is_whole",
    ),
    Index("ix_sends_parent_send_id", "parent_send_id", **partial(text("parent_send_id IS NOT NULL"))),
    Index("ix_sends_root_id", "root_id", **partial(text("root_id IS NOT NULL"))),
    Index("uq_sends_held", "session_id", unique=True, **partial(_HELD)),
    Index("ix_sends_ready", "queue", "priority", "dispatched_at", **partial(_READY)),
    Index("ix_sends_behind", "session_id", "position", **partial(_BEHIND)),
    Index("ix_sends_waiting", "session_id", **partial(_WAITING)),
    Index("ix_sends_running", "owner", **partial(_RUNNING)),
    Index(None, "created_at", "id"),
)

messages = Table(
    "messages",
    metadata,
    Column("session_id", ForeignKey(sessions.c.id, ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("content", StoredJson, nullable=False),
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("epoch", BigInteger, nullable=False),
    Column("metadata", StoredJson, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("session_id", "seq"),
    one_of("role", Role),
    CheckConstraint("seq >= 1", name="seq"),
    CheckConstraint("epoch >= 1", name="epoch"),
)

tool_calls = Table(
    "tool_calls",
    metadata,
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("call_index", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("arguments", StoredJson, nullable=False),
    Column("effect", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("result", Text),
    Column("full_result", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    # Whether a person has said that it may run, as it is.
    Column("approved", Boolean, nullable=False, server_default=false()),
    # Until when it sleeps, or slept, and the result that it has then.
    Column("wakes_at", Instant),
    Column("wake_result", Text),
    PrimaryKeyConstraint("send_id", "round", "call_index"),
    CheckConstraint("length(id) >= 1", name="id_length"),
    CheckConstraint("round >= 1 AND call_index >= 0", name="place"),
    one_of("effect", Effect),
    one_of("status", CallStatus),
    CheckConstraint(f"(status IN ({_FINAL_CALLS})) = (ended_at IS NOT NULL)", name="final_has_ended"),
    CheckConstraint(f"(status IN ({_FINAL_CALLS})) = (result IS NOT NULL)", name="final_has_result"),
    CheckConstraint("(wakes_at IS NULL) = (wake_result IS NULL)", name="sleep_is_whole"),
    Index("ix_tool_calls_asleep", "wakes_at", **partial(_ASLEEP)),
)
# Some providers put a proof of thousands of characters into the id: too long for an index of Postgres.
Index("uq_tool_calls_id", tool_calls.c.send_id, func.md5(tool_calls.c.id), unique=True).ddl_if(
    dialect="postgresql"
)
Index("uq_tool_calls_id", tool_calls.c.send_id, tool_calls.c.id, unique=True).ddl_if(dialect="sqlite")

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", RowNumber, Identity(always=True), primary_key=True),
    Column("session_id", Text, nullable=False),
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("round", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error_code", Text),
    # Whether the provider never told, and the tokens are our estimate.
    Column("estimated", Boolean, nullable=False),
    *tokens(),
    Column("latency_ms", BigInteger, nullable=False),
    # In billionths of a US dollar. Null: the price is not known.
    Column("cost", BigInteger),
    Column("created_at", Instant, nullable=False),
    one_of("outcome", CallOutcome),
    counts("round", "attempt", "latency_ms", *TOKEN_COLUMNS),
    sqlite_autoincrement=True,
)

interactions = Table(
    "interactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("call_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("arguments", StoredJson, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("answer", StoredJson),
    Column("actor", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("schema", StoredJson),
    Column("choices", StoredJson),
    # The answer when the time is over.
    Column("default_answer", StoredJson),
    Column("expires_at", Instant),
    CheckConstraint("length(id) >= 1", name="id_length"),
    one_of("kind", InteractionKind),
    one_of("status", InteractionStatus),
    CheckConstraint(
        f"(status = '{InteractionStatus.OPEN}') = (closed_at IS NULL)", name="closed_has_closed_at"
    ),
    CheckConstraint(
        f"(status = '{InteractionStatus.ANSWERED}') = (answer IS NOT NULL)", name="answered_has_answer"
    ),
    Index("ix_interactions_open", "created_at", "id", **partial(_OPEN)),
    Index("ix_interactions_expiring", "expires_at", **partial(_EXPIRING)),
)
