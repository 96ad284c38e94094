"""The ledger against the wire server's own counts."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from powerloop import Agent, AsyncPowerLoop, PowerLoop, tool
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.money import total
from powerloop.kernel.usage import Usage
from powerloop.llm import Price, PriceTable
from powerloop.llm.prices import shipped_prices
from powerloop.testing.wire import Reply, WireCall, WireRequest, WireServer, failure
from powerloop.testing.wire.script import WireScript

pytestmark = pytest.mark.integration

MODELS = {"openai": "openai:gpt-4o-mini", "anthropic": "anthropic:claude-haiku-4-5"}
CACHED = Usage(input_tokens=1003, cached_tokens=501, output_tokens=77)
Told = list[tuple[WireRequest, Reply]]


@tool(effect="read")
def look(place: str) -> str:
    """Look."""
    return f"Nothing in {place}."


@pytest.fixture
def told(powerloop_wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the wire server was asked and told to answer, as it counts itself."""
    for name, value in powerloop_wire.environ.items():
        monkeypatch.setenv(name, value)
    counted: Told = []
    next_reply = WireScript.next_reply

    def counting(script: WireScript, asked: WireRequest) -> Reply:
        reply = next_reply(script, asked)
        counted.append((asked, reply))
        return reply

    monkeypatch.setattr(WireScript, "next_reply", counting)
    return counted


def agents() -> list[Agent]:
    return [Agent(name=provider, model=model, tools=[look]) for provider, model in MODELS.items()]


async def ask(loop: AsyncPowerLoop, agent: str, text: str = "Where is it?") -> str:
    session = await loop.create_session(agent=agent)
    send = await loop.send(session.id, text)
    await send.result(timeout=30)
    return send.id


async def test_totals_are_what_the_wire_server_counted_with_every_failed_attempt(
    powerloop_wire: WireServer, told: Told
):
    finding = WireCall(name="look", arguments={"place": "the shed"})
    powerloop_wire.enqueue(
        failure(429, retry_after=0),
        Reply(calls=(finding,), usage=CACHED),
        failure(500),
        Reply(calls=(finding,), usage=Usage(input_tokens=2000, output_tokens=3)),
        failure(400),
        failure(503),
    )
    async with AsyncPowerLoop.local(":memory:", agents=agents()) as loop:
        await asyncio.gather(*(ask(loop, agent) for agent in (*MODELS, *MODELS)))
        report = await loop.usage(by="model")

    good = [(asked.api, reply.usage) for asked, reply in told if reply.status == 200]
    assert report.total.calls == len(told) == powerloop_wire.served
    assert report.total.failed_calls == len(told) - len(good) == 4
    assert report.total.usage == sum((usage for _, usage in good), Usage())
    assert report.total.cost == total(
        price for api, usage in good if (price := shipped_prices().cost_of(MODELS[api], usage)) is not None
    )
    assert report.total.cost > 0
    assert report.total.unpriced_calls == 0
    assert {row.key: row.total.calls for row in report.rows} == {
        model: sum(asked.api == api for asked, _ in told) for api, model in MODELS.items()
    }


async def test_an_answer_that_broke_off_is_counted_with_an_estimate(powerloop_wire: WireServer, told: Told):
    powerloop_wire.enqueue(Reply(text="a long answer that never ends", drop_after=4))
    async with AsyncPowerLoop.local(":memory:", agents=agents()) as loop:
        send_id = await ask(loop, "openai")
        total = (await loop.usage(send_id=send_id)).total
        send = (await loop.get_send(send_id)).send

    assert (total.calls, total.failed_calls) == (len(told), 1) == (2, 1)
    assert total.usage == send.usage
    # The provider's own count of the good attempt, and an estimate of the other.
    assert total.usage.input_tokens > told[1][1].usage.input_tokens
    assert total.cost > (shipped_prices().cost_of(MODELS["openai"], told[1][1].usage) or 0)


async def test_a_cancelled_answer_costs_what_was_written_of_it(powerloop_wire: WireServer, told: Told):
    powerloop_wire.enqueue(Reply(text="word " * 500, pace=timedelta(seconds=0.05)))
    async with AsyncPowerLoop.local(":memory:", agents=agents()) as loop:
        session = await loop.create_session(agent="openai")
        send = await loop.send(session.id, "Tell me everything.")
        async for event in send.events():
            if event.type == "text.delta":
                break
        await send.cancel()
        await send.result(timeout=30)
        total = (await loop.usage(session_id=session.id)).total

    assert (total.calls, total.failed_calls) == (1, 0)
    assert total.cost > 0


async def test_a_model_without_a_price_is_counted_as_such_and_not_as_free(told: Told):
    agent = Agent(name="own", model="openai:something-of-ours")
    async with AsyncPowerLoop.local(":memory:", agents=[agent]) as loop:
        await ask(loop, "own")
        total = (await loop.usage()).total
    assert (total.calls, total.unpriced_calls, total.cost) == (len(told), 1, 0)


async def test_a_price_of_ones_own_is_given_in_code(told: Told):
    agent = Agent(name="own", model="openai:something-of-ours")
    prices = PriceTable({agent.model: Price(input=Decimal(1000), output=Decimal(0))})
    async with AsyncPowerLoop.local(":memory:", agents=[agent], prices=prices) as loop:
        await ask(loop, "own")
        total = (await loop.usage(agent="own")).total
    assert total.cost == told[0][1].usage.input_tokens * Decimal("0.001")


async def test_a_price_of_ones_own_is_given_in_a_file(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "prices.toml"
    file.write_text('[openai.models]\n"something-*" = { input = 0, output = 1000 }\n')
    monkeypatch.setenv("POWERLOOP_PRICES", str(file))
    agent = Agent(name="own", model="openai:something-of-ours")
    async with AsyncPowerLoop.local(str(tmp_path / "app.db"), agents=[agent]) as loop:
        await ask(loop, "own")
        rows = (await loop.usage(by="day")).rows
    assert [row.total.cost for row in rows] == [told[0][1].usage.output_tokens * Decimal("0.001")]


def test_the_blocking_face_tells_the_same(told: Told):
    with PowerLoop.local(":memory:", agents=agents()) as loop:
        session = loop.create_session(agent="openai")
        loop.send(session.id, "hello").result(timeout=30)
        assert loop.usage(session_id=session.id).total.calls == len(told)


async def test_what_cannot_be_asked_of_the_ledger_is_said(told: Told):
    async with AsyncPowerLoop.local(":memory:", agents=agents()) as loop:
        with pytest.raises(InvalidInput, match="Did you mean 'model'"):
            await loop.usage(by="modle")
        with pytest.raises(InvalidInput, match="no time zone"):
            await loop.usage(since=datetime.now(UTC).replace(tzinfo=None))
