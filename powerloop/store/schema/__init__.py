"""The tables. Each named constraint refuses a state that the code never makes."""

from powerloop.store.schema.budgets import budgets, reservations
from powerloop.store.schema.conversations import (
    interactions,
    messages,
    model_calls,
    sends,
    sessions,
    tool_calls,
)
from powerloop.store.schema.declaring import SCHEMA, TOKEN_COLUMNS, metadata
from powerloop.store.schema.operations import agents, early_cancels, lane_marks, worker_leases
from powerloop.store.schema.timers import beat_entries, beats, timer_firings, timers
from powerloop.store.schema.tool_tasks import tool_tasks
from powerloop.store.schema.workflows import (
    workflow_inbox,
    workflow_items,
    workflow_nodes,
    workflow_runs,
    workflow_specs,
)

__all__ = [
    "SCHEMA",
    "TOKEN_COLUMNS",
    "agents",
    "beat_entries",
    "beats",
    "budgets",
    "early_cancels",
    "interactions",
    "lane_marks",
    "messages",
    "metadata",
    "model_calls",
    "reservations",
    "sends",
    "sessions",
    "timer_firings",
    "timers",
    "tool_calls",
    "tool_tasks",
    "worker_leases",
    "workflow_inbox",
    "workflow_items",
    "workflow_nodes",
    "workflow_runs",
    "workflow_specs",
]
