"""``powerloop cancel``: ask for the end of sends."""

from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.metadata import ByMetadata, pairs
from powerloop.kernel.sends import CancelEffect, Cancellation

COLUMNS = ("id", "effect", "session_id", "status")


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("cancel")(cancel)


def cancel(
    send_ids: Annotated[
        list[str] | None, typer.Argument(help="The ids of the sends.", metavar="[SEND]...")
    ] = None,
    session_id: Annotated[str | None, typer.Option("--session", help="Every send of this session.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Every send of this agent.")] = None,
    metadata: ByMetadata = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the eyes of people.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who asks, likewise.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask for the end of sends: of those named, or of every one that has not ended and matches all options.

    A queued send is cancelled now, a running one within about a second, a final one stays as it is. One that
    nobody knows is remembered, and never run if it should come; the command then exits with 1.
    """
    fields = pairs(metadata)
    done = with_loop(
        lambda loop: loop.cancel(
            *(send_ids or ()), session_id=session_id, agent=agent, metadata=fields, reason=reason, actor=actor
        )
    )
    Console.output(as_json).rows(COLUMNS, [_row(one) for one in done], empty="Nothing to cancel.")
    unknown = [one.send_id for one in done if one.effect is CancelEffect.REMEMBERED]
    if unknown:
        Console.errors().say(f"Not known, and remembered: {', '.join(unknown)}.", style="yellow")
    raise typer.Exit(1 if unknown else 0)


def _row(one: Cancellation) -> dict[str, object]:
    return {
        "id": one.send_id,
        "effect": one.effect.value,
        "session_id": one.send.session_id if one.send else None,
        "status": one.send.status.value if one.send else None,
    }
