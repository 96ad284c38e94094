"""``powerloop timer add``: timers are made."""

from datetime import timedelta
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.metadata import pairs
from powerloop.cli.timer_rows import timer_row
from powerloop.cli.timer_words import check_one_given, instant_given, span_given
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.timers import CatchUp, DstRule, Overlap, Timer

SPAN = "SPAN"
INSTANT = "INSTANT"

EveryOption = Annotated[
    str | None, typer.Option("--every", metavar=SPAN, help="Every so often: 90s, 10m, 1h30m, 1d.")
]
CronOption = Annotated[
    str | None,
    typer.Option("--cron", metavar="EXPR", help="Five fields, six with the seconds first, or @daily."),
]
ZoneOption = Annotated[
    str, typer.Option("--tz", metavar="ZONE", help="The IANA name of its zone: Europe/Berlin.")
]
DstOption = Annotated[
    DstRule, typer.Option("--dst", help="What --cron means on the days on which the clock changes.")
]
StartOption = Annotated[str | None, typer.Option("--start", metavar=INSTANT, help="No tick is before it.")]
EndOption = Annotated[str | None, typer.Option("--end", metavar=INSTANT, help="No tick is after it.")]


def register(family: typer.Typer) -> None:
    """Add the verb to the family."""
    family.command("add")(add)


def add(
    text: Annotated[str, typer.Argument(metavar="INPUT", help="The input of each send: a template.")],
    session_id: Annotated[str | None, typer.Option("--session", help="The session that it wakes.")] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Or the agent of a fresh session per tick.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar=INSTANT, help="Once: 2030-01-31T09:00+01:00.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar=SPAN, help="Once, so long from now: 90s, 10m, 1h30m.")
    ] = None,
    every: EveryOption = None,
    cron: CronOption = None,
    tz: ZoneOption = "UTC",
    dst: DstOption = DstRule.ONCE,
    start: StartOption = None,
    end: EndOption = None,
    jitter: Annotated[
        str | None, typer.Option("--jitter", metavar=SPAN, help="Each tick fires up to so much later.")
    ] = None,
    max_fires: Annotated[
        int | None, typer.Option("--max-fires", help="The most sends that it makes.")
    ] = None,
    overlap: Annotated[
        Overlap, typer.Option("--overlap", help="What a tick does while the send before has not ended.")
    ] = Overlap.ENQUEUE,
    catch_up: Annotated[
        CatchUp, typer.Option("--catch-up", help="Which ticks fire that were due while no beat ran.")
    ] = CatchUp.ONE,
    catch_up_window: Annotated[
        str | None,
        typer.Option("--catch-up-window", metavar=SPAN, help="With --catch-up all: none that is older."),
    ] = None,
    pause_after: Annotated[
        int | None, typer.Option("--pause-after", help="Pause it once so many sends in a row have failed.")
    ] = None,
    priority: Annotated[int, typer.Option("--priority", help="0 to 9; higher goes first.")] = 0,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata", metavar="KEY=TEXT", help="Of each send; KEY:=JSON for no text. Repeat it."
        ),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="Its id; made for you unless given.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change the timer of that id, if there is one, to this.")
    ] = False,
    disarmed: Annotated[bool, typer.Option("--disarmed", help="Make it paused.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a session woken once, every so often, or by cron; prints the id of the timer.

    {{due_at}}, {{date}}, {{time}}, {{tick}} and {{timer_id}} in the input are filled in; {{braces}} is {{.
    """
    check_one_given("whom it wakes", {"--session": session_id, "--agent": agent})
    check_one_given("when it fires", {"--at": at, "--after": after, "--every": every, "--cron": cron})

    async def work(loop: AsyncPowerLoop) -> Timer:
        return await loop.schedule(
            text,
            session_id=session_id,
            agent=agent,
            at=instant_given(at, "--at"),
            after=span_given(after, "--after"),
            every=span_given(every, "--every"),
            cron=cron,
            tz=tz,
            dst=dst,
            start=instant_given(start, "--start"),
            end=instant_given(end, "--end"),
            jitter=span_given(jitter, "--jitter") or timedelta(0),
            max_fires=max_fires,
            overlap=overlap,
            catch_up=catch_up,
            catch_up_window=span_given(catch_up_window, "--catch-up-window"),
            pause_after=pause_after,
            priority=priority,
            metadata=pairs(metadata),
            id=id,
            replace=replace,
            disarmed=disarmed,
        )

    made = with_loop(work)
    console = Console.output(as_json)
    console.say(made.id)
    console.value(timer_row(made))
