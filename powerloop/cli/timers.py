"""``powerloop timer``: durable wake-ups, listed and shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from powerloop.cli import timer_adding, timer_preview, timer_steering
from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.timer_preview import say_ticks
from powerloop.cli.timer_rows import firing_cells, firing_row, tick_rows, timer_cells, timer_row
from powerloop.cli.timer_steering import TimerArgument
from powerloop.cli.timer_words import zone_named
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.errors import ScheduleInvalid
from powerloop.kernel.timers import Firing, Timer, TimerStatus

COLUMNS = ("id", "status", "schedule", "due_at", "fires", "agent", "session_id")
FIRING_COLUMNS = ("tick_at", "outcome", "number", "send_id", "detail")

#: Ticks that are to come, and firings, which are shown with a timer.
_SHOWN = 5

timer = typer.Typer(name="timer", help="Timers: add, list, show, preview, steer.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    timer_adding.register(timer)
    timer.command("list")(list_)
    timer.command("show")(show)
    timer.command("firings")(firings)
    timer_preview.register(timer)
    timer_steering.register(timer)
    app.add_typer(timer)


def list_(
    session_id: Annotated[
        str | None, typer.Option("--session", help="Only those that wake this session.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only those of this agent.")] = None,
    status: Annotated[
        list[TimerStatus] | None, typer.Option("--status", help="Only those in this state. Repeat it.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List timers, latest made first."""
    found = with_loop(
        lambda loop: loop.list_timers(session_id=session_id, agent=agent, status=status or None, limit=limit)
    )
    rows = [
        timer_row(one) if as_json else {**timer_cells(one), "session_id": one.session_id} for one in found
    ]
    Console.output(as_json).rows(COLUMNS, rows, empty="No timers.")


def show(timer_id: TimerArgument, as_json: AsJson = False) -> None:
    """Show a timer, its next five ticks, and what became of the last five."""

    async def look(loop: AsyncPowerLoop) -> tuple[Timer, Sequence[datetime], Sequence[Firing]]:
        found = await loop.get_timer(timer_id)
        return found, await _next_ticks(loop, found), await loop.timer_firings(found.id, limit=_SHOWN)

    found, ticks, fired = with_loop(look)
    console = Console.output(as_json)
    zone = zone_named(found.plan.schedule.tz)
    if as_json:
        history = [firing_row(one) for one in fired]
        console.value({**timer_row(found), "next": tick_rows(ticks, zone), "firings": history})
        return
    console.record(timer_cells(found))
    console.say("\nnext ticks", style="bold")
    say_ticks(console, ticks, found.plan.schedule.tz)
    console.say("\nlast ticks", style="bold")
    console.rows(FIRING_COLUMNS, [firing_cells(one, zone) for one in fired], empty="There was none.")


def firings(
    timer_id: TimerArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what became of the ticks of a timer, latest first."""

    async def look(loop: AsyncPowerLoop) -> tuple[Timer, Sequence[Firing]]:
        return await loop.get_timer(timer_id), await loop.timer_firings(timer_id, limit=limit)

    found, fired = with_loop(look)
    zone = zone_named(found.plan.schedule.tz)
    rows = [firing_row(one) if as_json else firing_cells(one, zone) for one in fired]
    Console.output(as_json).rows(FIRING_COLUMNS, rows, empty="No tick yet.")


async def _next_ticks(loop: AsyncPowerLoop, timer: Timer) -> Sequence[datetime]:
    try:
        return await loop.preview_timer(timer.id, _SHOWN)
    except ScheduleInvalid:
        # Its zone is not known on this machine: what there is of it is shown all the same.
        return ()
