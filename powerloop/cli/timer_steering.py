"""``powerloop timer pause``, ``resume``, ``postpone``, ``trigger``, ``cancel``: timers, steered."""

import asyncio
from typing import Annotated

import typer

from powerloop.cli import sends
from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.following import Follower
from powerloop.cli.timer_adding import INSTANT, SPAN
from powerloop.cli.timer_rows import timer_row
from powerloop.cli.timer_words import check_one_given, instant_given, local_text, span_given, zone_named
from powerloop.client.handles import SendHandle
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.timers import Timer, TimerStatus

TimerArgument = Annotated[str, typer.Argument(help="The timer's id.", metavar="TIMER")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the eyes of people.")]


def register(family: typer.Typer) -> None:
    """Add the verbs to the family."""
    for verb in (pause, resume, postpone, trigger, cancel):
        family.command(verb.__name__)(verb)


def pause(timer_id: TimerArgument, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Have a timer fire no more until it is resumed."""
    paused = with_loop(lambda loop: loop.pause_timer(timer_id, reason=reason))
    _say(
        paused, f"{timer_id} is paused. To have it go on: powerloop timer resume {timer_id}", as_json=as_json
    )


def resume(timer_id: TimerArgument, as_json: AsJson = False) -> None:
    """Have a timer fire again, from its next tick on."""
    resumed = with_loop(lambda loop: loop.resume_timer(timer_id))
    _say(resumed, f"{timer_id} is {_state(resumed)}", as_json=as_json)


def postpone(
    timer_id: TimerArgument,
    by: Annotated[
        str | None, typer.Option("--by", metavar=SPAN, help="So much later than it was to.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar=INSTANT, help="At this instant.")] = None,
    as_json: AsJson = False,
) -> None:
    """Have the next tick of a timer fire later; those after it stay as they are."""
    check_one_given("how much later it fires", {"--by": by, "--until": until})
    span, instant = span_given(by, "--by"), instant_given(until, "--until")
    postponed = with_loop(lambda loop: loop.postpone_timer(timer_id, by=span, until=instant))
    _say(postponed, f"{timer_id} is {_state(postponed)}", as_json=as_json)


def trigger(
    timer_id: TimerArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print the answer as it is written.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have a timer fire now, beside its schedule, even while it is paused. Print the id of the send.

    Followed, it exits with 1 if the send failed or was cancelled; for programs, what became of it comes last.
    """
    console = Console.output(as_json)

    async def work(loop: AsyncPowerLoop) -> Send | None:
        handle = await loop.trigger_timer(timer_id)
        if not follow:
            console.say(handle.id)
            status = handle.send.status.value
            console.value(
                {"id": handle.id, "session_id": handle.session_id, "status": status, "timer_id": timer_id}
            )
            return None
        return await _followed(handle, console)

    if ended := with_loop(work):
        if ended.error:
            Console.errors().say(f"{ended.error.code}: {ended.error.message}", style="red")
        if ended.status is SendStatus.CANCELLED:
            Console.errors().say("cancelled", style="yellow")
        console.value(sends.row(ended))
        raise typer.Exit(0 if ended.status in (SendStatus.COMPLETED, SendStatus.MERGED) else 1)


def cancel(timer_id: TimerArgument, reason: ReasonOption = "", as_json: AsJson = False) -> None:
    """Have a timer fire no more, ever. The sends that it has made go on."""
    ended = with_loop(lambda loop: loop.cancel_timer(timer_id, reason=reason))
    is_done = ended.status is TimerStatus.DONE
    _say(ended, f"{timer_id} {'was done; nothing changes' if is_done else 'is cancelled'}.", as_json=as_json)


async def _followed(handle: SendHandle, console: Console) -> Send:
    """The send, once it has ended."""
    try:
        await Follower(console).follow(handle, None)
        await handle.result()
    except asyncio.CancelledError:
        # Ctrl-C, which ends this command and nothing else.
        Console.errors().say(f"\nThe send goes on. To end it: powerloop cancel {handle.id}", style="yellow")
        raise
    return handle.send


def _state(timer: Timer) -> str:
    """Where a timer is, and when it fires next, as the end of a sentence."""
    if timer.due_at is None or timer.status is TimerStatus.DONE:
        return f"{timer.status.value}, and has no further tick."
    due = local_text(timer.due_at, zone_named(timer.plan.schedule.tz))
    if timer.status is TimerStatus.PAUSED:
        return f"paused; its next tick is due {due}."
    return f"armed; it fires next at {due}."


def _say(timer: Timer, words: str, *, as_json: bool) -> None:
    console = Console.output(as_json)
    console.say(words)
    console.value(timer_row(timer))
