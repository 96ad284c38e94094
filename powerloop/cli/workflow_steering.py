"""``powerloop workflow cancel``, ``pause``, ``resume``, ``retry``, ``skip``, ``signal``: runs, steered."""

from typing import Annotated

import typer

from powerloop.cli.connect import with_loop
from powerloop.cli.console import AsJson, Console
from powerloop.cli.json_given import json_given
from powerloop.cli.run_rows import run_row
from powerloop.cli.workflow_runs import RunArgument
from powerloop.client.loop import AsyncPowerLoop
from powerloop.client.runs import RunHandle
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.sends import CancelEffect, Cancellation
from powerloop.kernel.workflows import RunStatus, WorkflowRun

PathArgument = Annotated[
    str, typer.Argument(help="The node's path, as `show` tells it: root.steps[1].", metavar="PATH")
]

_EFFECTS = {
    CancelEffect.CANCELLED: "is cancelled",
    CancelEffect.REQUESTED: "ends as soon as its leaves have, within about a second",
    CancelEffect.ENDED: "had ended; nothing changes",
    CancelEffect.REMEMBERED: "is not known, and will not run if it should come",
}


def register(family: typer.Typer) -> None:
    """Add the verbs to the family."""
    for verb in (cancel, pause, resume, retry, skip, signal):
        family.command(verb.__name__)(verb)


def cancel(
    run_id: RunArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the eyes of people.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Who asks, likewise.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask for the end of a run, and of all its leaves. What has come to a value is kept: see resume."""

    async def work(loop: AsyncPowerLoop) -> Cancellation:
        return await (await loop.get_run(run_id)).cancel(reason=reason, actor=actor)

    done = with_loop(work)
    console = Console.output(as_json)
    console.say(f"{run_id} {_EFFECTS[done.effect]}.")
    console.value({"id": run_id, "effect": done.effect.value, "send_id": done.send_id})


def pause(run_id: RunArgument, as_json: AsJson = False) -> None:
    """Have no further node of a run begin. What runs goes on to its end, or until it waits."""

    async def work(loop: AsyncPowerLoop) -> WorkflowRun:
        _, run = await _begun(loop, run_id)
        if run.status is not RunStatus.OPEN:
            raise InvalidInput(f"the run {run_id!r} has ended: it is {run.status}.")
        return await loop.pause_run(run_id)

    paused = with_loop(work)
    console = Console.output(as_json)
    console.say(f"{run_id} is paused. To have it go on: powerloop workflow resume {run_id}")
    console.value(run_row(paused))


def resume(run_id: RunArgument, as_json: AsJson = False) -> None:
    """Have a run go on that is paused, or that has failed or was cancelled. What is done is kept."""

    async def work(loop: AsyncPowerLoop) -> tuple[str, WorkflowRun]:
        handle, before = await _begun(loop, run_id)
        await loop.resume_run(run_id)
        after = await handle.run() or before
        if before.status is RunStatus.DONE:
            return f"{run_id} is done; nothing changes.", after
        if before.status is RunStatus.OPEN and before.paused_at is None:
            return f"{run_id} was not paused; nothing changes.", after
        return _goes_on(run_id), after

    _say(with_loop(work), as_json=as_json)


def retry(run_id: RunArgument, path: PathArgument, as_json: AsJson = False) -> None:
    """Have a run that has ended go on with one node that failed or was cancelled."""

    async def work(loop: AsyncPowerLoop) -> tuple[str, WorkflowRun]:
        handle, before = await _begun(loop, run_id)
        await loop.retry_node(run_id, path)
        return _goes_on(run_id), await handle.run() or before

    _say(with_loop(work), as_json=as_json)


def skip(
    run_id: RunArgument,
    path: PathArgument,
    value: Annotated[str, typer.Option("--value", metavar="JSON", help="What the node comes to.")] = "null",
    as_json: AsJson = False,
) -> None:
    """Have nobody wait for a node any longer: it is done, with this value. A run that has ended goes on."""
    given = json_given(value, "--value")

    async def work(loop: AsyncPowerLoop) -> tuple[str, WorkflowRun]:
        handle, before = await _begun(loop, run_id)
        await loop.skip_node(run_id, path, given)
        return f"{path} is passed over. {_goes_on(run_id)}", await handle.run() or before

    _say(with_loop(work), as_json=as_json)


def signal(
    run_id: RunArgument,
    name: Annotated[str, typer.Argument(help="The signal's name.", metavar="NAME")],
    payload: Annotated[
        str, typer.Option("--payload", metavar="JSON", help="What the node that takes it comes to.")
    ] = "null",
    key: Annotated[
        str | None, typer.Option("--key", help="The same key says the same thing once, per run.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say something to a run: the first `wait` for this name takes it, now or when it begins."""
    given = json_given(payload, "--payload")

    async def work(loop: AsyncPowerLoop) -> bool:
        handle, run = await _begun(loop, run_id)
        if run.status is not RunStatus.OPEN:
            raise InvalidInput(f"the run {run_id!r} has ended: it is {run.status}.")
        return await handle.signal(name, given, key=key)

    is_new = with_loop(work)
    console = Console.output(as_json)
    console.say(f"{run_id} is told." if is_new else f"{run_id} was told before; nothing changes.")
    console.value({"id": run_id, "signal": name, "is_new": is_new})


async def _begun(loop: AsyncPowerLoop, run_id: str) -> tuple[RunHandle, WorkflowRun]:
    """The run, which some worker has begun.

    Raises:
        RunNotFound: there is none of that id.
        InvalidInput: none has.
    """
    handle = await loop.get_run(run_id)
    run = await handle.run()
    if run is None:
        raise InvalidInput(
            f"no worker has begun the run {run_id!r} yet.", hint=f"Why: powerloop sends explain {run_id}"
        )
    return handle, run


def _goes_on(run_id: str) -> str:
    return f"{run_id} goes on. To follow it: powerloop workflow show {run_id} --follow"


def _say(told: tuple[str, WorkflowRun], *, as_json: bool) -> None:
    words, run = told
    console = Console.output(as_json)
    console.say(words)
    console.value(run_row(run))
