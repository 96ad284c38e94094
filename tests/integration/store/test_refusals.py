"""The database itself refuses what the code never does, whoever writes it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from powerloop.store import migrate

Execute = Callable[[str], None]

SESSION = (
    "INSERT INTO sessions (id, agent, status, metadata, epoch, seq, accepted, finished, created_at, "
    "updated_at) VALUES ('s', 'a', 'open', '{}', 1, 1, 3, 0, '2026-01-01', '2026-01-01')"
)
SEND = (
    "INSERT INTO sends (id, session_id, position, status, policy, content, priority, metadata, attempt, "
    "strikes, dispatches, epoch, rounds, input_tokens, output_tokens, cached_tokens, cache_write_tokens, "
    "reasoning_tokens, output, created_at) VALUES ('{id}', 's', {position}, 'queued', 'enqueue', '[]', 0, "
    "'{{}}', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '[]', '2026-01-01')"
)
CALL = (
    "INSERT INTO tool_calls (send_id, round, call_index, id, session_id, name, arguments, effect, status, "
    "epoch, created_at) VALUES ('x', 1, 0, 'c', 's', 't', '{}', 'read', 'pending', 1, '2026-01-01')"
)
QUESTION = (
    "INSERT INTO interactions (id, kind, status, session_id, send_id, call_id, tool, arguments, prompt, "
    "actor, created_at) VALUES ('q', 'in_doubt', 'open', 's', 'x', 'c', 't', '{}', 'Did it happen?', '', "
    "'2026-01-01')"
)
BUDGET = (
    "INSERT INTO budgets (send_id, max_cost, input_tokens, output_tokens, cost, opened_at) "
    "VALUES ('x', {most}, 0, 0, {used}, '2026-01-01')"
)
MESSAGE = "INSERT INTO messages VALUES ('s', 1, 'user', '[]', 'x', 1, '{}', '2026-01-01')"

RUNNING = "UPDATE sends SET status = 'running', owner = 'w' WHERE id = '{}'"


@pytest.fixture(params=["postgres", "sqlite"])
def execute(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Execute]:
    """Run one statement on a database with a session `s`, its sends `x` and `y`, and the rows of `x`."""
    if request.param == "sqlite":
        asyncio.run(migrate.upgrade(f"sqlite:///{tmp_path / 'store.db'}"))
        connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
    else:
        url = request.getfixturevalue("migrated_postgres_url")
        connection = psycopg.connect(url, autocommit=True, options="-c search_path=powerloop")
    for statement in (
        SESSION,
        SEND.format(id="x", position=1),
        SEND.format(id="y", position=2),
        CALL,
        QUESTION,
        MESSAGE,
    ):
        connection.execute(statement)
    yield connection.execute
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        SESSION,
        "UPDATE sessions SET status = 'ajar'",
        "UPDATE sessions SET finished = 4",
        "UPDATE sessions SET finished = -1",
        "UPDATE sessions SET seq = -1",
        "UPDATE sessions SET epoch = -1",
        "UPDATE sessions SET agent = ''",
        "UPDATE sessions SET metadata = NULL",
        "UPDATE sessions SET policy = 'maybe'",
        "UPDATE sessions SET steering = -1",
        "UPDATE sessions SET parent_id = 'x'",
        "UPDATE sessions SET parent_id = 'x', lifecycle = 'short'",
        SEND.format(id="x", position=3),
        SEND.format(id="z", position=1),
        SEND.format(id="", position=3),
        SEND.format(id="z", position=0),
        "UPDATE sends SET session_id = 'nobody'",
        "UPDATE sends SET status = 'lost'",
        "UPDATE sends SET policy = 'maybe'",
        "UPDATE sends SET priority = 10",
        "UPDATE sends SET attempt = -1",
        "UPDATE sends SET strikes = -1",
        "UPDATE sends SET dispatches = -1",
        "UPDATE sends SET output_tokens = -1",
        "UPDATE sends SET idempotency_key = 'same'",
        "UPDATE sends SET idempotency_key = ''",
        "UPDATE sends SET status = 'running'",
        "UPDATE sends SET status = 'completed'",
        "UPDATE sends SET status = 'completed', stop_reason = 'end_turn'",
        "UPDATE sends SET status = 'completed', ended_at = '2026-01-01'",
        "UPDATE sends SET status = 'completed', stop_reason = 'tired', ended_at = '2026-01-01'",
        "UPDATE sends SET stop_reason = 'end_turn'",
        "UPDATE sends SET ended_at = '2026-01-01'",
        "UPDATE sends SET error_code = 'internal'",
        "UPDATE sends SET status = 'failed', ended_at = '2026-01-01'",
        "UPDATE sends SET status = 'cancelled'",
        "UPDATE sends SET status = 'cancelled', ended_at = '2026-01-01'",
        "UPDATE sends SET cancel_requested_at = '2026-01-01'",
        "UPDATE sends SET cancel_reason = '', cancel_actor = ''",
        "UPDATE sends SET parent_send_id = 'p'",
        "UPDATE sends SET root_id = 'r', lineage = '{}'",
        "UPDATE tool_calls SET status = 'done'",
        "UPDATE tool_calls SET status = 'done', result = 'x'",
        "UPDATE tool_calls SET status = 'done', ended_at = '2026-01-01'",
        "UPDATE tool_calls SET result = 'x'",
        "UPDATE tool_calls SET status = 'gone'",
        "UPDATE tool_calls SET effect = 'some'",
        "UPDATE tool_calls SET round = 0",
        "UPDATE tool_calls SET id = ''",
        CALL.replace("1, 0, 'c'", "1, 0, 'd'"),
        CALL.replace("1, 0, 'c'", "2, 0, 'c'"),
        MESSAGE,
        "UPDATE messages SET role = 'narrator'",
        "UPDATE messages SET seq = 0",
        "UPDATE messages SET epoch = 0",
        "UPDATE interactions SET kind = 'riddle'",
        "UPDATE interactions SET status = 'lost'",
        "UPDATE interactions SET status = 'withdrawn'",
        "UPDATE interactions SET status = 'answered', closed_at = '2026-01-01'",
        "UPDATE interactions SET closed_at = '2026-01-01'",
        "UPDATE interactions SET answer = '{}'",
        "UPDATE interactions SET send_id = 'nobody'",
        BUDGET.format(most=0, used=0),
        BUDGET.format(most=1, used=-1),
        BUDGET.format(most=1, used=0).replace("'x'", "'nobody'"),
        "INSERT INTO reservations VALUES ('y', 'x', 1, 0, 0, 0, '2026-01-01')",
        "INSERT INTO early_cancels VALUES ('', '', '', '2026-01-01')",
        "INSERT INTO lane_marks VALUES ('powerloop.send', 10, '2026-01-01')",
        "INSERT INTO worker_leases VALUES ('', '2026-01-01', '2026-01-01', '2026-01-01')",
        "INSERT INTO agents (name, model, announced_at) VALUES ('', 'm', '2026-01-01')",
    ],
    ids=lambda statement: statement.replace(" ", "-")[:70],
)
def test_a_row_that_cannot_be_is_refused(execute, statement):
    with pytest.raises((psycopg.IntegrityError, sqlite3.IntegrityError)):
        execute(statement)


@pytest.mark.parametrize("second", ["running", "waiting"])
def test_one_send_of_a_session_runs_or_waits(execute, second):
    execute(RUNNING.format("x"))
    with pytest.raises((psycopg.IntegrityError, sqlite3.IntegrityError)):
        execute(f"UPDATE sends SET status = '{second}', owner = 'w' WHERE id = 'y'")


def test_what_belongs_to_a_session_goes_with_it(execute):
    execute("DELETE FROM sessions")
    for table in ("sends", "messages", "tool_calls", "interactions"):
        assert execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_what_belongs_to_a_send_goes_with_it(execute):
    execute("DELETE FROM sends WHERE id = 'x'")
    for table in ("messages", "tool_calls", "interactions"):
        assert execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
