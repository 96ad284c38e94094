"""``powerloop workflow run``, ``show`` and ``list``: runs of workflows, and what became of them."""

from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.json_given import input_given
from powerloop.cli.node_words import span
from powerloop.cli.run_following import RunFollower, look_at, say_end, value_text
from powerloop.cli.run_look import RunLook
from powerloop.cli.run_rows import look_row, node_row, run_row
from powerloop.cli.run_view import run_view
from powerloop.cli.sessions import json_object
from powerloop.cli.stored_workflows import source
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.workflows import RunStatus, WorkflowRun

COLUMNS = ("id", "name", "status", "created_at", "time", "outcome")

WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|NAME", help="A JSON file, - for standard input, or a stored workflow: NAME, NAME@3."
    ),
]
RunArgument = Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")]

#: Characters of a value that are shown unless it is asked for.
_PREVIEW = 500
_CELL = 60


def register(family: typer.Typer) -> None:
    """Add the verbs to the family."""
    family.command("run")(run)
    family.command("show")(show)
    family.command("list")(list_)


def run(
    what: WhatArgument,
    given: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="JSON|@FILE|TEXT", help="What it is given; the spec's own by default."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The idempotency key: the same gives the same run.")
    ] = None,
    priority: Annotated[int, typer.Option("--priority", help="0 to 9; higher goes first.")] = 0,
    metadata: Annotated[str, typer.Option("--metadata", help="A JSON object to find it by.")] = "{}",
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Show its nodes until it has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have the workers run a workflow. Print the id of the run; return at once, or follow it to its end.

    Followed, it exits with 1 if the run failed or was cancelled. For programs: the run, a line for each
    change of a node, and how the run ended.
    """
    console = Console.output(as_json)
    spec, value, fields = source(what), input_given(given), json_object(metadata, "--metadata")

    async def work(loop: AsyncPowerLoop) -> RunLook | None:
        handle = await loop.start_workflow(
            spec, value, idempotency_key=key, priority=priority, metadata=fields
        )
        console.say(handle.id)
        if as_json:
            status = await handle.status()
            console.value({"id": handle.id, "session_id": handle.session_id, "status": status.value})
        return await RunFollower(console).follow(loop, handle) if follow else None

    if ended := with_loop(work):
        _end(console, ended)


def show(
    run_id: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Show its nodes until it has ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a run: its nodes, what each used and which worker ran it, and what it came to.

    Followed, it exits with 1 if the run failed or was cancelled. For programs: the run, with a list of its
    nodes, outer ones first; followed, a line for each change of a node, and how the run ended.
    """
    console = Console.output(as_json)

    async def work(loop: AsyncPowerLoop) -> RunLook:
        handle = await loop.get_run(run_id)
        return await (RunFollower(console).follow(loop, handle) if follow else look_at(loop, handle))

    look = with_loop(work)
    if follow:
        _end(console, look)
    nodes = [node_row(item) for _, item in look.root.walk()] if look.root else []
    console.value({**look_row(look), "nodes": nodes})
    if not as_json:
        console.rich.print(run_view(look, brief=False))
    say_end(console, look, at_most=_PREVIEW)


def list_(
    status: Annotated[RunStatus | None, typer.Option("--status", help="Only those in this state.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only those of workflows of this name.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List runs, latest first."""
    found = with_loop(lambda loop: loop.list_runs(status=status, name=name, limit=limit))
    rows = [run_row(one) if as_json else _cells(one) for one in found]
    Console.output(as_json).rows(COLUMNS, rows, empty="No runs.")


def _end(console: Console, look: RunLook) -> None:
    """Say how a run that was followed has ended, and exit accordingly."""
    console.value(look_row(look))
    say_end(console, look)
    raise typer.Exit(0 if look.result and look.result.ok else 1)


def _cells(one: WorkflowRun) -> dict[str, object]:
    """A run as a row for people."""
    paused = one.status is RunStatus.OPEN and one.paused_at is not None
    value = "" if one.value is None else " ".join(value_text(one.value, indent=None).split())
    outcome = one.code or value
    return {
        "id": one.id,
        "name": one.name,
        "status": "paused" if paused else one.status.value,
        "created_at": one.created_at,
        "time": span((one.ended_at or SystemClock().now()) - one.created_at),
        "outcome": outcome if len(outcome) <= _CELL else f"{outcome[:_CELL]}…",
    }
