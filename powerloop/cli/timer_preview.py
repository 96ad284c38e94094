"""``powerloop timer preview``: the next ticks of a timer, or of a schedule that no timer has yet."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.timer_adding import CronOption, DstOption, EndOption, EveryOption, StartOption, ZoneOption
from powerloop.cli.timer_rows import tick_cells, tick_rows
from powerloop.cli.timer_words import check_one_given, instant_given, local_text, span_given, zone_named
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.timers import DstRule, Timer, TimerStatus

CountOption = Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many.")]


def register(family: typer.Typer) -> None:
    """Add the verb to the family."""
    family.command("preview")(preview)


def preview(
    timer_id: Annotated[str | None, typer.Argument(metavar="[TIMER]", help="The timer's id.")] = None,
    every: EveryOption = None,
    cron: CronOption = None,
    tz: ZoneOption = "UTC",
    dst: DstOption = DstRule.ONCE,
    start: StartOption = None,
    end: EndOption = None,
    count: CountOption = 5,
    as_json: AsJson = False,
) -> None:
    """Print the next ticks of a timer, or of --cron or --every, which needs no system; nothing is made."""
    check_one_given("what is previewed", {"TIMER": timer_id, "--cron": cron, "--every": every})
    console = Console.output(as_json)
    if timer_id is not None:
        if (tz, dst, start, end) != ("UTC", DstRule.ONCE, None, None):
            raise InvalidInput("--tz, --dst, --start and --end go with --cron and --every.")
        _preview_timer(console, timer_id, count)
        return

    async def work() -> Sequence[datetime]:
        async with AsyncPowerLoop.local(":memory:", agents=()) as loop:
            return await loop.preview_schedule(
                count,
                every=span_given(every, "--every"),
                cron=cron,
                tz=tz,
                dst=dst,
                start=instant_given(start, "--start"),
                end=instant_given(end, "--end"),
            )

    ticks = asyncio.run(work())
    say_ticks(console, ticks, tz)


def say_ticks(console: Console, ticks: Sequence[datetime], tz: str) -> None:
    """Ticks, by the clock of a zone and by that of UTC."""
    zone = zone_named(tz)
    rows = tick_rows(ticks, zone) if console.as_json else tick_cells(ticks, tz, zone)
    console.rows(tuple(dict.fromkeys((tz, "UTC"))), rows, empty="There is no further tick.")


def _preview_timer(console: Console, timer_id: str, count: int) -> None:
    async def work(loop: AsyncPowerLoop) -> tuple[Timer, Sequence[datetime]]:
        return await loop.get_timer(timer_id), await loop.preview_timer(timer_id, count)

    timer, ticks = with_loop(work)
    tz = timer.plan.schedule.tz
    say_ticks(console, ticks, tz)
    if timer.status is TimerStatus.PAUSED:
        console.say("It is paused, and fires at none of these until it is resumed.", style="yellow")
    elif timer.due_at is not None and timer.due_at != timer.tick_at:
        console.say(
            f"At the first of these, it fires at {local_text(timer.due_at, zone_named(tz))}.", style="yellow"
        )
