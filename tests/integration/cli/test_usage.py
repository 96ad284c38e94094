"""``powerloop usage`` on a ledger."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import NewSend, StopReason
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage
from powerloop.store import SqlStore, open_store

pytestmark = pytest.mark.integration

GOOD = ModelCallEntry(
    model="openai:gpt-4o",
    usage=Usage(input_tokens=1_200_000, cached_tokens=200_000, output_tokens=34, reasoning_tokens=5),
    outcome=CallOutcome.OK,
    latency=timedelta(seconds=2),
    cost=Decimal("2.750340001"),
)
FAILED = ModelCallEntry(
    model="openai:ours",
    usage=Usage(input_tokens=7),
    outcome=CallOutcome.FAILED,
    latency=timedelta(seconds=1),
    error_code="model.unavailable",
)


async def spend(url: str) -> None:
    store = open_store(url)
    try:
        await spend_in(store)
    finally:
        await store.close()


async def spend_in(store: SqlStore) -> None:
    session = await store.sessions.create(NewSession(id=SessionId("s"), agent="echo"))
    new = NewSend(id=SendId("s1"), session_id=session.id, content=(TextBlock(text="hello"),))
    claim = await store.journal.claim((await store.sends.accept(new)).send, WorkerId("here:1:1"))
    assert claim is not None
    ending = Ending.completed(
        StopReason.END_TURN, rounds=1, output=(TextBlock(text="done"),), entries=(FAILED, GOOD)
    )
    await store.journal.finish(claim.fence, ending)


@pytest.fixture
def run(powerloop, system):
    """Runs ``powerloop usage``; its output as JSON lines."""

    def run(*arguments):
        done = powerloop("usage", *arguments, "--json", **system)
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def spent(system) -> str:
    """The session of a send that has used something."""
    asyncio.run(spend(system["POWERLOOP_DATABASE_URL"]))
    return "s"


def test_the_total_is_one_line_for_programs(run, spent):
    assert run() == [
        {
            "calls": 2,
            "failed_calls": 1,
            "input_tokens": 1_200_007,
            "output_tokens": 34,
            "cached_tokens": 200_000,
            "cache_write_tokens": 0,
            "reasoning_tokens": 5,
            "cost_usd": "2.750340001",
            "unpriced_calls": 1,
            "latency_s": 3.0,
        }
    ]


def test_groups_are_a_line_each(run, spent):
    rows = run("--by", "model")
    assert [(row["model"], row["cost_usd"], row["unpriced_calls"]) for row in rows] == [
        ("openai:gpt-4o", "2.750340001", 0),
        ("openai:ours", "0", 1),
    ]
    (day,) = run("--by", "day")
    assert day["day"] <= datetime.now(UTC).date().isoformat()


def test_a_report_is_narrowed(run, spent):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert run("--session", spent, "--agent", "echo", "--until", tomorrow)[0]["calls"] == 2
    assert run("--session", "another")[0]["calls"] == 0
    assert run("--since", f"{tomorrow}T00:00:00-0200")[0]["calls"] == 0


def test_people_see_a_table_with_a_total(powerloop, system, spent):
    shown = powerloop("usage", "--by", "model", **system).stdout
    heading, *rows = shown.splitlines()
    assert heading.split()[:3] == ["model", "calls", "failed"]
    assert [row.split()[0] for row in rows] == ["openai:gpt-4o", "openai:ours", "total"]
    assert "1,200,007" in rows[-1]
    assert "$2.75" in rows[-1]


def test_an_empty_ledger_is_said(powerloop, system):
    assert "No model calls." in powerloop("usage", **system).stdout


def test_a_group_that_is_none_is_refused(powerloop, system):
    assert powerloop("usage", "--by", "week", **system).returncode == 2
