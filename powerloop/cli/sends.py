"""``powerloop sends``: what was asked, and what became of it."""

from dataclasses import asdict
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.metadata import ByMetadata, pairs
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.codec import content_to_json
from powerloop.kernel.sends import Send, SendStatus

COLUMNS = ("id", "session_id", "status", "attempt", "rounds", "tokens", "created_at")

SendArgument = Annotated[str, typer.Argument(help="The send's id.", metavar="SEND")]

sends = typer.Typer(name="sends", help="Sends: list, show and explain.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the family to the tree."""
    app.add_typer(sends)


@sends.command("list")
def list_(
    session_id: Annotated[str | None, typer.Option("--session", help="Only those of this session.")] = None,
    status: Annotated[
        list[SendStatus] | None, typer.Option("--status", help="Only those in this state. Repeat it.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only those of this agent.")] = None,
    metadata: ByMetadata = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List sends, latest first."""
    fields = pairs(metadata)
    found = with_loop(
        lambda loop: loop.list_sends(
            session_id=session_id, status=status or None, agent=agent, metadata=fields, limit=limit
        )
    )
    Console.output(as_json).rows(COLUMNS, [row(item) for item in found], empty="No sends.")


@sends.command("show")
def show(send_id: SendArgument, as_json: AsJson = False) -> None:
    """Show a send: its input, what became of it, and what it cost."""

    async def look(loop: AsyncPowerLoop) -> Send:
        return (await loop.get_send(send_id)).send

    Console.output(as_json).record(row(with_loop(look)))


@sends.command("explain")
def explain(send_id: SendArgument, as_json: AsJson = False) -> None:
    """Say why a send is not running, and what to do about it. It changes nothing."""
    found = with_loop(lambda loop: loop.explain(send_id))
    console = Console.output(as_json)
    console.value({"id": send_id, **asdict(found)})
    console.say(found.text)
    if found.hint:
        console.say(found.hint, style="yellow")


def row(item: Send) -> dict[str, object]:
    """A send as a row."""
    return {
        "id": item.id,
        "session_id": item.session_id,
        "agent": item.agent,
        "position": item.position,
        "status": item.status.value,
        "stop_reason": item.stop_reason.value if item.stop_reason else None,
        "error_code": item.error.code if item.error else None,
        "error": item.error.message if item.error else None,
        "input": content_to_json(item.content),
        "text": item.text,
        "cancel": item.cancel,
        "attempt": item.attempt,
        "strikes": item.strikes,
        "epoch": item.epoch,
        "owner": item.owner,
        "rounds": item.rounds,
        "tokens": item.usage.total_tokens,
        "input_tokens": item.usage.input_tokens,
        "output_tokens": item.usage.output_tokens,
        "cached_tokens": item.usage.cached_tokens,
        "policy": item.policy.value,
        "priority": item.priority,
        "idempotency_key": item.idempotency_key,
        "metadata": item.metadata,
        "created_at": item.created_at,
        "dispatched_at": item.dispatched_at,
        "started_at": item.started_at,
        "ended_at": item.ended_at,
    }
