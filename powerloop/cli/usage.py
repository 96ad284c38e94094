"""``powerloop usage``: what model calls used, and what they cost."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.kernel.usage import UsageGroup, UsageTotal

COLUMNS = (
    "calls",
    "failed",
    "input",
    "cached",
    "cache write",
    "output",
    "reasoning",
    "cost",
    "unpriced",
    "time",
)

_INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S"]


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("usage")(usage)


def usage(
    session_id: Annotated[
        str | None, typer.Option("--session", help="Only this session and its sub-agents.")
    ] = None,
    send_id: Annotated[str | None, typer.Option("--send", help="Only this send and its sub-agents.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=_INSTANTS, help="Only from then on; UTC if it does not say."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=_INSTANTS, help="Only before then, likewise.")
    ] = None,
    by: Annotated[UsageGroup | None, typer.Option("--by", help="A row for each of these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what model calls used: attempts, tokens, dollars, time. Failed attempts are counted too.

    The cost is that of the calls whose price is known; `unpriced` counts the others. For programs: a line for
    each row of --by, or one for the total.
    """
    report = with_loop(
        lambda loop: loop.usage(
            session_id=session_id,
            send_id=send_id,
            agent=agent,
            since=_in_utc(since),
            until=_in_utc(until),
            by=by,
            limit=limit,
        )
    )
    console = Console.output(as_json)
    rows = [{by.value: row.key, **fields(row.total)} for row in report.rows] if by else []
    if as_json:
        for row in rows if by else [fields(report.total)]:
            console.value(row)
        return
    if not report.total.calls:
        console.say("No model calls.", style="dim")
        return
    label = by.value if by else "model calls"
    shown = [{label: row.key, **_cells(row.total)} for row in report.rows]
    console.rows((label, *COLUMNS), [*shown, {label: "total", **_cells(report.total)}], empty="")


def fields(total: UsageTotal) -> dict[str, object]:
    """A total as a row for programs: money as a decimal text in US dollars, time in seconds."""
    return {
        "calls": total.calls,
        "failed_calls": total.failed_calls,
        "input_tokens": total.usage.input_tokens,
        "output_tokens": total.usage.output_tokens,
        "cached_tokens": total.usage.cached_tokens,
        "cache_write_tokens": total.usage.cache_write_tokens,
        "reasoning_tokens": total.usage.reasoning_tokens,
        "cost_usd": f"{total.cost:f}",
        "unpriced_calls": total.unpriced_calls,
        "latency_s": total.latency.total_seconds(),
    }


def _cells(total: UsageTotal) -> dict[str, object]:
    """A total as a row for people."""
    counts = total.usage
    values = (
        f"{total.calls:,}",
        f"{total.failed_calls:,}",
        f"{counts.input_tokens:,}",
        f"{counts.cached_tokens:,}",
        f"{counts.cache_write_tokens:,}",
        f"{counts.output_tokens:,}",
        f"{counts.reasoning_tokens:,}",
        _dollars(total.cost),
        f"{total.unpriced_calls:,}",
        f"{total.latency.total_seconds():,.1f} s",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _dollars(amount: Decimal) -> str:
    """Cents, or what there is below them."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:,.6f}"


def _in_utc(instant: datetime | None) -> datetime | None:
    return instant.replace(tzinfo=UTC) if instant and instant.tzinfo is None else instant
