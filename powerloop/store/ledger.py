"""What model calls cost: entries of the ledger, their sum on the send, and reports of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.money import total
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage, UsageGroup, UsageRow, UsageTotal


def cleaned_entry(entry: ModelCallEntry) -> ModelCallEntry:
    """The entry with names that a database accepts."""
    return replace(
        entry,
        model=clean_text(entry.model),
        purpose=clean_text(entry.purpose),
        error_code=entry.error_code and clean_text(entry.error_code),
    )


def total_usage(entries: tuple[ModelCallEntry, ...]) -> Usage:
    """What all attempts used, failed ones included: the provider bills them too."""
    return sum((entry.usage for entry in entries), Usage())


def total_of(entries: Iterable[ModelCallEntry]) -> UsageTotal:
    """The sums of a report, each latency in whole milliseconds, as databases keep it."""
    entries = tuple(entries)
    costs = [entry.cost for entry in entries if entry.cost is not None]
    latencies = (round(entry.latency / timedelta(milliseconds=1)) for entry in entries)
    return UsageTotal(
        calls=len(entries),
        failed_calls=sum(entry.outcome is CallOutcome.FAILED for entry in entries),
        usage=total_usage(entries),
        cost=total(costs),
        unpriced_calls=len(entries) - len(costs),
        latency=timedelta(milliseconds=sum(latencies)),
    )


def in_order(rows: Iterable[UsageRow], by: UsageGroup) -> tuple[UsageRow, ...]:
    """The rows of a report in their order: latest day first, of other groups the dearest first."""
    if by is UsageGroup.DAY:
        return tuple(sorted(rows, key=lambda row: row.key, reverse=True))
    return tuple(sorted(rows, key=lambda row: (-row.total.cost, -row.total.usage.total_tokens, row.key)))


def last_round(ending: Ending) -> int:
    """The round that the entries of `ending` belong to. A failed round is not among the counted, nor is one
    that the time of the budget cut off."""
    answered = any(entry.outcome is CallOutcome.OK for entry in ending.entries)
    out_of_time = ending.stop_reason is StopReason.BUDGET and not answered
    return ending.rounds + (ending.status is SendStatus.FAILED or out_of_time)
