"""The tables of budgets: what was used of each, and what model calls that go on have reserved."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, PrimaryKeyConstraint, Table

from powerloop.store.columns import Instant
from powerloop.store.schema.conversations import sends
from powerloop.store.schema.declaring import counts, metadata

_USE = ("input_tokens", "output_tokens", "cost")

# Opened before the first model call of a send that has a budget. Costs are in billionths of a US dollar.
budgets = Table(
    "budgets",
    metadata,
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), primary_key=True),
    Column("max_input_tokens", BigInteger),
    Column("max_output_tokens", BigInteger),
    Column("max_total_tokens", BigInteger),
    Column("max_cost", BigInteger),
    *(Column(name, BigInteger, nullable=False) for name in _USE),
    Column("opened_at", Instant, nullable=False),
    counts(*_USE),
    CheckConstraint(
        "max_input_tokens > 0 AND max_output_tokens > 0 AND max_total_tokens > 0 AND max_cost > 0",
        name="positive_limits",
    ),
    postgresql_with={"fillfactor": 50},
)

# One row for each budget that a model call which goes on is charged to.
reservations = Table(
    "reservations",
    metadata,
    Column("budget_id", ForeignKey(budgets.c.send_id, ondelete="CASCADE"), nullable=False),
    Column("send_id", ForeignKey(sends.c.id, ondelete="CASCADE"), nullable=False, index=True),
    # Of the claim that made it.
    Column("epoch", BigInteger, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in _USE),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("budget_id", "send_id"),
    counts("epoch", *_USE),
)
