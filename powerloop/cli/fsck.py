"""``powerloop fsck``: whether the data keep their promises."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import typer

from powerloop.cli.console import AsJson, Console, jsonable
from powerloop.client.remote import require_urls
from powerloop.kernel.fsck import Report
from powerloop.queue.fsck import check_redis
from powerloop.settings import Settings, read_settings
from powerloop.store.fsck import check_store

_STYLES = {"ok": "green", "violated": "red", "timed_out": "yellow", "not_applicable": "dim"}


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("fsck")(fsck)


def fsck(
    settled: Annotated[
        bool, typer.Option("--settled", help="Nothing is under way: sends that nobody drives are faults too.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show of each fault.")] = 20,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds for each check.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Check every promise on the live data, and change nothing. Exits with 1 if one is broken."""
    settings = read_settings()
    require_urls(settings)
    console = Console.output(as_json)
    span = timedelta(seconds=timeout)
    reports = asyncio.run(_check(settings, settled=settled, limit=limit, timeout=span))
    for report in reports:
        _tell(console, report)
    raise typer.Exit(0 if all(report.status in ("ok", "not_applicable") for report in reports) else 1)


async def _check(settings: Settings, *, settled: bool, limit: int, timeout: timedelta) -> Sequence[Report]:
    stored = await check_store(settings.database_url, at_rest=settled, limit=limit, timeout=timeout)
    held = await check_redis(settings.redis_url, lock_ttl=settings.lock_ttl, limit=limit, timeout=timeout)
    return sorted((*stored, *held), key=lambda report: int(report.invariant.removeprefix("I")))


def _tell(console: Console, report: Report) -> None:
    console.value(report)
    detail = f" ({report.detail})" if report.detail else ""
    verdict = report.status.replace("_", " ")
    console.say(f"{verdict:<15}{report.invariant:<4} {report.title}{detail}", style=_STYLES[report.status])
    for row in report.rows:
        console.say(f"{'':<20}{json.dumps(jsonable(row), ensure_ascii=False)}")
