"""The sums of the ledger, whole and by group."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from powerloop.kernel.messages import TextBlock
from powerloop.kernel.ports.usage import UsageQuery
from powerloop.kernel.sends import Claim
from powerloop.kernel.subagents import child_of
from powerloop.kernel.suspension import Suspension
from powerloop.kernel.usage import (
    CallOutcome,
    ModelCallEntry,
    Usage,
    UsageGroup,
    UsageReport,
    UsageTotal,
)
from powerloop.kernel.waits import Spawn
from powerloop.testing.factories import make_agent

HOUR = timedelta(hours=1)


@pytest.fixture
def entry() -> Callable[..., ModelCallEntry]:
    """Makes a ledger entry."""

    def make(cost: str | None = "0", tokens: int = 1, **fields: Any) -> ModelCallEntry:
        made = ModelCallEntry(
            model="openai:gpt-4o",
            usage=Usage(input_tokens=tokens),
            outcome=CallOutcome.OK,
            latency=timedelta(milliseconds=7),
            cost=None if cost is None else Decimal(cost),
        )
        return replace(made, **fields)

    return make


@pytest.fixture
def report(desk) -> Callable:
    """Asks for a report."""

    async def ask(**fields: Any) -> UsageReport:
        report: UsageReport = await desk.store.usage.report(UsageQuery(**fields))
        return report

    return ask


async def spend(desk, *entries: ModelCallEntry, claim: Claim | None = None, **fields: Any) -> Claim:
    """A send of a new session, or the claimed one, that has made the calls and goes on."""
    if claim is None:
        session = await desk.session(agent=fields.pop("agent", "support"))
        claim = await desk.claimed((await desk.accept(session)).send)
    await desk.asked(claim, "a", entries=entries, **fields)
    return claim


async def started_by(desk, claim: Claim) -> Claim:
    """The claimed send of a sub-agent that the call `a` of a send waits for."""
    (call,) = await desk.store.journal.load_calls(claim.send.id)
    spawn = Spawn(agent="child", content=(TextBlock(text="go"),))
    child = child_of(make_agent(), await desk.send_of(claim), call, spawn)
    suspension = Suspension(children=(child,), max_descendants=10)
    (started,) = (await desk.store.journal.suspend(claim.fence, suspension)).started
    claimed: Claim = await desk.claimed(started)
    return claimed


def keys(report: UsageReport) -> list[str]:
    return [row.key for row in report.rows]


async def test_an_empty_ledger_sums_to_nothing(report):
    assert await report() == UsageReport(total=UsageTotal())
    assert await report(by=UsageGroup.DAY) == UsageReport(total=UsageTotal())


async def test_every_attempt_counts_whatever_became_of_it(desk, report):
    failed, good = desk.entry(failed="model.rate_limited", tokens=1), desk.entry(tokens=100)
    cut_off = replace(desk.entry(tokens=1000), outcome=CallOutcome.CANCELLED)
    await spend(desk, failed, good, cut_off)

    assert (await report()).total == UsageTotal(
        calls=3,
        failed_calls=1,
        usage=Usage(
            input_tokens=1101,
            output_tokens=1104,
            cached_tokens=1107,
            cache_write_tokens=1110,
            reasoning_tokens=1113,
        ),
        unpriced_calls=3,
        latency=timedelta(seconds=4.5),
    )


async def test_a_call_without_a_price_is_counted_and_does_not_hide_what_the_others_cost(desk, entry, report):
    await spend(desk, entry("0.000000001"), entry(None), entry("0"), entry("12345.678900001"))
    total = (await report()).total
    assert (total.calls, total.unpriced_calls) == (4, 1)
    assert total.cost == Decimal("12345.678900002")


async def test_the_costs_of_a_finishing_round_are_in_the_ledger(desk, entry, report):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, replace(desk.completed(), entries=(entry("0.25"),)))
    assert (await report()).total.cost == Decimal("0.25")


@pytest.mark.parametrize(
    ("by", "dearest_first"),
    [
        (UsageGroup.AGENT, ["support", "sales"]),
        (UsageGroup.MODEL, ["openai:gpt-5", "openai:gpt-4o"]),
        (UsageGroup.PURPOSE, ["fold", "round"]),
    ],
)
async def test_the_groups_of_a_report_add_up_to_its_total(desk, entry, report, by, dearest_first):
    await spend(desk, entry("1", tokens=5), agent="sales")
    await spend(desk, entry("2", model="openai:gpt-5", purpose="fold"), entry(None, tokens=3))

    found = await report(by=by)

    assert keys(found) == dearest_first
    assert sum(row.total.cost for row in found.rows) == found.total.cost == 3
    assert sum(row.total.calls for row in found.rows) == found.total.calls == 3
    assert sum(row.total.usage.input_tokens for row in found.rows) == 9


async def test_sessions_and_sends_have_rows(desk, entry, report):
    cheap, dear = await spend(desk, entry("1")), await spend(desk, entry("2"))
    by_send, by_session = await report(by=UsageGroup.SEND), await report(by=UsageGroup.SESSION)
    assert keys(by_send) == [dear.send.id, cheap.send.id]
    assert keys(by_session) == [dear.send.session_id, cheap.send.session_id]


async def test_of_rows_that_cost_the_same_the_one_with_more_tokens_comes_first(desk, entry, report):
    await spend(desk, *(entry(tokens=tokens, model=f"m:{name}") for name, tokens in (("b", 1), ("c", 9))))
    await spend(desk, entry(model="m:a"))
    assert keys(await report(by=UsageGroup.MODEL)) == ["m:c", "m:a", "m:b"]


async def test_a_limit_cuts_the_rows_and_not_the_total(desk, entry, report):
    await spend(desk, *(entry(str(cost), model=f"m:{cost}") for cost in (1, 3, 2)))
    found = await report(by=UsageGroup.MODEL, limit=2)
    assert keys(found) == ["m:3", "m:2"]
    assert found.total.cost == 6
    assert keys(await report(by=UsageGroup.MODEL, limit=-1)) == []


async def test_days_are_those_of_utc(desk, entry, report):
    before = datetime.now(UTC)
    await spend(desk, entry("1"))
    assert keys(await report(by=UsageGroup.DAY))[0] in {
        day.date().isoformat() for day in (before, datetime.now(UTC))
    }


async def test_a_report_narrows_to_an_agent(desk, entry, report):
    await spend(desk, entry("1"), agent="sales")
    await spend(desk, entry("2"))
    assert (await report(agent="sales")).total.cost == 1
    assert (await report(agent="nobody")).total == UsageTotal()


async def test_a_report_narrows_to_a_span_of_time(desk, entry, report):
    await spend(desk, entry("1"))
    now = datetime.now(UTC)
    assert (await report(since=now - HOUR, until=now + HOUR)).total.calls == 1
    assert (await report(since=now + HOUR)).total.calls == 0
    assert (await report(until=now - HOUR)).total.calls == 0


async def test_an_instant_in_another_zone_is_the_same_instant(desk, entry, report):
    await spend(desk, entry("1"))
    later = (datetime.now(UTC) + HOUR).astimezone(timezone(-timedelta(hours=11)))
    assert (await report(since=later)).total.calls == 0
    assert (await report(until=later)).total.calls == 1


async def test_what_sub_agents_spend_is_part_of_their_parents_spending(desk, entry, report):
    await spend(desk, entry("100"))
    root = await spend(desk, entry("1"))
    child = await spend(desk, entry("2"), claim=await started_by(desk, root))
    grandchild = await spend(desk, entry("4"), claim=await started_by(desk, child))

    for claim, cost in ((root, 7), (child, 6), (grandchild, 4)):
        assert (await report(send_id=claim.send.id)).total.cost == cost
        assert (await report(session_id=claim.send.session_id)).total.cost == cost
    assert keys(await report(send_id=root.send.id, by=UsageGroup.SEND)) == [
        grandchild.send.id,
        child.send.id,
        root.send.id,
    ]
    assert (await report(agent="child")).total.cost == 6


async def test_a_send_of_another_session_is_not_in_the_report(desk, entry, report):
    one, other = await spend(desk, entry("1")), await spend(desk, entry("2"))
    found = await report(session_id=one.send.session_id, send_id=other.send.id)
    assert found.total == UsageTotal()


async def test_names_that_no_database_holds_find_what_was_stored_cleaned(desk, entry, report):
    claim = await spend(desk, entry("1"), agent="sup\x00port")
    assert (await report(agent="sup\x00port")).total.cost == 1
    assert (await report(send_id=f"{claim.send.id}\x00")).total.cost == 0


async def test_a_session_that_is_deleted_takes_its_rows_along(desk, entry, report):
    claim = await desk.running()
    await desk.store.journal.finish(claim.fence, replace(desk.completed(), entries=(entry("1"),)))
    await desk.store.sessions.delete(claim.send.session_id)
    assert (await report()).total == UsageTotal()
