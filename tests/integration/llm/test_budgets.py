"""Budgets of trees against the wire server's own counts."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from powerloop import Agent, AsyncPowerLoop, tool
from powerloop.kernel.limits import Budget
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.sends import StopReason
from powerloop.kernel.usage import Usage
from powerloop.testing.wire import Reply, WireCall, WireRequest, WireServer, failure
from powerloop.testing.wire.script import WireScript

pytestmark = pytest.mark.integration

MODEL = "openai:gpt-4o-mini"
ROUND = Usage(input_tokens=10, output_tokens=300)
MOST = 300


@tool(effect="read")
def look(place: str) -> str:
    """Look."""
    return f"Nothing in {place}."


@pytest.fixture
def told(powerloop_wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> list[Reply]:
    """What the wire server answered, as it counts itself."""
    for name, value in powerloop_wire.environ.items():
        monkeypatch.setenv(name, value)
    counted: list[Reply] = []
    next_reply = WireScript.next_reply

    def counting(script: WireScript, asked: WireRequest) -> Reply:
        counted.append(next_reply(script, asked))
        return counted[-1]

    monkeypatch.setattr(WireScript, "next_reply", counting)
    return counted


def crew(**limits: int) -> Agent:
    helper = Agent(
        name="helper",
        model=MODEL,
        tools=[look],
        settings=ModelSettings(max_output_tokens=MOST),
        max_rounds=50,
    )
    return Agent(
        name="chief",
        model=MODEL,
        tools=[helper.as_tool()],
        settings=ModelSettings(max_output_tokens=MOST),
        budget=Budget(**limits),
    )


def helpers(count: int) -> Reply:
    calls = (WireCall(name="helper", arguments={"input": f"errand {number}"}) for number in range(count))
    return Reply(calls=tuple(calls), usage=ROUND)


def answered(told: list[Reply]) -> Usage:
    return sum((reply.usage for reply in told if reply.status == 200), Usage())


def account(file: Path, send_id: str) -> tuple[int, int]:
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT input_tokens, output_tokens FROM budgets WHERE send_id = ?"
        found: tuple[int, int] = database.execute(query, (send_id,)).fetchone()
        assert database.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
        return found


async def test_a_tree_counts_what_the_wire_server_counted_with_retries_and_children(
    powerloop_wire: WireServer, told: list[Reply], tmp_path: Path
):
    powerloop_wire.on("do it", helpers(3), Reply(text="all done", usage=ROUND))
    seen: set[str] = set()

    def errand(asked: WireRequest) -> Reply | None:
        """Fail the first attempt of each, then answer."""
        if not asked.last_input.startswith("errand"):
            return None
        if asked.last_input in seen:
            return Reply(text="done", usage=ROUND)
        seen.add(asked.last_input)
        return failure(500)

    powerloop_wire.script.add_rule(errand)
    async with AsyncPowerLoop.local(tmp_path / "app.db", agents=[crew(total_tokens=10**6)]) as loop:
        session = await loop.create_session(agent="chief")
        send = await loop.send(session.id, "do it")
        result = await send.result(timeout=30)
        total = (await loop.usage(send_id=send.id)).total

    assert (result.stop_reason, result.text) == (StopReason.END_TURN, "all done")
    assert (total.calls, total.failed_calls) == (len(told), 3) == (8, 3)
    assert total.usage == answered(told)
    used = answered(told)
    assert account(tmp_path / "app.db", send.id) == (used.input_tokens, used.output_tokens)


async def test_a_tree_never_exceeds_its_budget_by_more_than_one_reservation(
    powerloop_wire: WireServer, told: list[Reply], tmp_path: Path
):
    limit = 4_000
    powerloop_wire.on("do it", helpers(4))
    again = Reply(calls=(WireCall(name="look", arguments={"place": "the shed"}),), usage=ROUND)
    powerloop_wire.script.add_rule(lambda asked: again if asked.last_input.startswith("errand") else None)
    async with AsyncPowerLoop.local(tmp_path / "app.db", agents=[crew(output_tokens=limit)]) as loop:
        session = await loop.create_session(agent="chief")
        send = await loop.send(session.id, "do it")
        result = await send.result(timeout=30)
        children = [one for one in await loop.list_sends() if one.id != send.id]
        total = (await loop.usage(send_id=send.id)).total

    assert {child.stop_reason for child in children} == {StopReason.BUDGET}
    assert result.stop_reason is StopReason.BUDGET
    assert total.usage == answered(told)
    assert limit <= total.usage.output_tokens <= limit + MOST
    used = answered(told)
    assert account(tmp_path / "app.db", send.id) == (used.input_tokens, used.output_tokens)
