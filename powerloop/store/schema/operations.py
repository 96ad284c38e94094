"""The tables beside the conversations: cancels that came early, how far the queues are, workers, agents."""

from sqlalchemy import Boolean, CheckConstraint, Column, SmallInteger, Table, Text, false

from powerloop.kernel.agents import MAX_AGENT_NAME_LENGTH
from powerloop.kernel.policies import Policy
from powerloop.store.columns import Instant
from powerloop.store.schema.declaring import metadata, one_of, short

# Cancels of sends that nobody has accepted yet.
early_cancels = Table(
    "early_cancels",
    metadata,
    Column("send_id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    short("send_id"),
)

# How far the queues were taken, per lane: the dispatch of the latest row that was claimed.
lane_marks = Table(
    "lane_marks",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("priority", SmallInteger, primary_key=True, autoincrement=False),
    Column("dispatched_at", Instant, nullable=False),
    short("queue"),
    CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
    postgresql_with={"fillfactor": 50},
)

worker_leases = Table(
    "worker_leases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("renewed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    short("id"),
    # One row per process, renewed every second for as long as it lives.
    postgresql_with={"fillfactor": 50},
)

agents = Table(
    "agents",
    metadata,
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("announced_at", Instant, nullable=False),
    # What its sessions say that were given no policy.
    Column("policy", Text, nullable=False, server_default=Policy.ENQUEUE.value),
    # Whether hooks of it are asked when a timer of it is due.
    Column("asks_timers", Boolean, nullable=False, server_default=false()),
    short("name", MAX_AGENT_NAME_LENGTH),
    one_of("policy", Policy),
)
