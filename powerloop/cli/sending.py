"""``powerloop send``: give a session an input."""

import asyncio
from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.following import Follower
from powerloop.client.handles import SendHandle, SendResult
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.codec import budget_from_json
from powerloop.kernel.errors import SessionNotFound
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import SendStatus


def register(app: typer.Typer) -> None:
    """Add the verb to the tree."""
    app.command("send")(send)


def send(
    session_id: Annotated[str, typer.Argument(help="The session's id.", metavar="SESSION")],
    text: Annotated[str, typer.Argument(help="The input.", metavar="TEXT")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print the answer as it is written.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for the end, then print the answer.")
    ] = False,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds to wait at most.")] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Begin the session with this agent if it is not there.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The idempotency key.")] = None,
    policy: Annotated[
        Policy | None, typer.Option("--policy", help="What happens while the session is busy.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="The most tokens, in and out, that it may use.")
    ] = None,
    max_cost: Annotated[
        str | None, typer.Option("--max-cost", help="The most US dollars that it may cost: 0.50.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", help="The longest that it may take, waiting included.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a session an input. Without --follow or --wait, print the id of the send and return at once."""
    console = Console.output(as_json)
    limits = {"total_tokens": max_tokens, "cost": max_cost, "wall_clock_s": max_seconds}

    async def work(loop: AsyncPowerLoop) -> SendResult | None:
        if agent is not None:
            await _begin(loop, session_id, agent)
        budget = budget_from_json(limits)
        handle = await loop.send(session_id, text, idempotency_key=key, policy=policy, budget=budget)
        if not (follow or wait):
            console.say(handle.id)
            console.value({"id": handle.id, "session_id": session_id, "status": handle.send.status.value})
            return None
        return await _end_of(handle, Follower(console) if follow else None, timeout)

    if result := with_loop(work):
        _report(console, result, told=follow)
        raise typer.Exit(0 if result.ok or result.status is SendStatus.MERGED else 1)


async def _begin(loop: AsyncPowerLoop, session_id: str, agent: str) -> None:
    try:
        await loop.get_session(session_id)
    except SessionNotFound:
        await loop.create_session(agent, id=session_id)


async def _end_of(handle: SendHandle, follower: Follower | None, timeout: float | None) -> SendResult:
    try:
        if follower:
            await follower.follow(handle, timeout)
        return await handle.result(timeout)
    except asyncio.CancelledError:
        # Ctrl-C, which ends this command and nothing else.
        Console.errors().say(f"\nThe send goes on. To end it: powerloop cancel {handle.id}", style="yellow")
        raise


def _report(console: Console, result: SendResult, *, told: bool) -> None:
    if result.error:
        Console.errors().say(f"{result.error.code}: {result.error.message}", style="red")
    elif not told:
        console.say(result.text)
    if result.status is SendStatus.CANCELLED:
        why = f": {result.cancel.reason}" if result.cancel and result.cancel.reason else ""
        Console.errors().say(f"cancelled{why}", style="yellow")
    if result.status is SendStatus.MERGED:
        Console.errors().say("merged into the send that ran", style="yellow")
    if (
        result.status is SendStatus.COMPLETED
        and result.stop_reason
        and result.stop_reason.value != "end_turn"
    ):
        Console.errors().say(f"stopped: {result.stop_reason}", style="yellow")
    console.value(
        {
            "id": result.send_id,
            "session_id": result.session_id,
            "status": result.status.value,
            "stop_reason": result.stop_reason,
            "text": result.text,
            "error": result.error,
            "cancel": result.cancel,
            "usage": result.usage,
            "rounds": result.rounds,
        }
    )
