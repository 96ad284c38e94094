"""``powerloop bench fanout``: what the leaves of a large workflow cost, and what a resume of it does."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from powerloop.cli.bench_system import AGENT, Used, bench_system, warm_up
from powerloop.cli.console import AsJson, Console
from powerloop.client.loop import AsyncPowerLoop
from powerloop.client.runs import RunHandle, RunResult
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus
from powerloop.settings import Settings
from powerloop.workflow.policies import MAX_CONCURRENCY, MAX_FAN_OUT

_HUNDRED: Final = 100

#: Which share of the leaves is to be done when the second run has been cancelled.
_CANCELLED_AT: Final = 0.9

#: Of these, so many may run at once at most: with half of the rest in flight, the run can still be cut short.
_HALF_THE_REST: Final = 0.05
#: A run that ends before it is cancelled is of no use; how many are tried.
_TRIES: Final = 5

#: Seconds between two looks at a run that is to be cancelled.
_LOOK_S: Final = 0.02
_TIMEOUT_S: Final = 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run of the same size that was cancelled when most of its leaves were done, and then resumed."""

    #: Leaves that had come to a value by then.
    done_before: int
    #: Leaves that were run after that: sends, counted by the attempts at the nodes.
    ran: int
    #: From the call of `resume_run` to the result in the producer's hands.
    s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutMeasured:
    """What `bench fanout` found."""

    leaves: int
    workers: int
    #: Leaves that may run at once.
    window: int
    leaves_per_s: float
    #: The mean time from one end of a leaf to the next, among the first hundred ends and the last.
    first_100_ms: float
    last_100_ms: float
    #: The last by the first: 1, where a leaf costs the same however many are done.
    ratio: float
    #: From the call of `start_workflow` to the result in the producer's hands.
    run_s: float
    #: Of all processes: producer, workers, beat, Postgres and Redis.
    cpu_ms_per_leaf: float
    #: Write transactions in Postgres.
    commits_per_leaf: float
    resumed: Resumed


def register(family: typer.Typer) -> None:
    """Add the verb to the family."""
    family.command("fanout")(fanout)


def fanout(
    leaves: Annotated[int, typer.Option("--leaves", min=_HUNDRED, max=MAX_FAN_OUT)] = 1_000,
    workers: Annotated[int, typer.Option("--workers", min=1)] = 2,
    window: Annotated[
        int, typer.Option("--window", min=1, max=MAX_CONCURRENCY, help="Leaves that may run at once.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """Run a workflow of so many leaves, then one that is cancelled at nine tenths and resumed.

    Runs on an embedded stack of its own, so that the processor time of every process can be counted. The
    model answers at once.
    """
    with bench_system(workers) as settings:
        measured = asyncio.run(_measure(settings, leaves, workers, window))
    Console.output(as_json).record(asdict(measured))


async def _measure(settings: Settings, leaves: int, workers: int, window: int) -> FanoutMeasured:
    async with AsyncPowerLoop.from_env(settings) as loop:
        await warm_up(loop, workers)
        before = await Used.so_far(settings)
        began = time.perf_counter()
        handle = await loop.start_workflow(_workflow(leaves, window))
        _check(await handle.result(timeout=_TIMEOUT_S))
        run_s = time.perf_counter() - began
        used = (await Used.so_far(settings)).since(before)
        ends = sorted(_ended_at(leaf) for leaf in await _leaves_of(handle))
        resumed = await _resumed(loop, leaves, window)
    first, last = _apart_ms(ends[:_HUNDRED]), _apart_ms(ends[-_HUNDRED:])
    return FanoutMeasured(
        leaves=leaves,
        workers=workers,
        window=window,
        leaves_per_s=round(leaves / run_s, 1),
        first_100_ms=round(first, 2),
        last_100_ms=round(last, 2),
        ratio=round(last / first, 2),
        run_s=round(run_s, 2),
        cpu_ms_per_leaf=round(used.cpu_s * 1000 / leaves, 2),
        commits_per_leaf=round(used.commits / leaves, 2),
        resumed=resumed,
    )


async def _resumed(loop: AsyncPowerLoop, leaves: int, window: int) -> Resumed:
    handle = await _cut_short(loop, leaves, window)
    before = await _leaves_of(handle)
    began = time.perf_counter()
    await loop.resume_run(handle.id)
    _check(await handle.result(timeout=_TIMEOUT_S))
    took = time.perf_counter() - began
    return counted(before, await _leaves_of(handle), leaves, took)


async def _cut_short(loop: AsyncPowerLoop, leaves: int, window: int) -> RunHandle:
    """A run that was cancelled when most of its leaves were done."""
    window = min(window, int(leaves * _HALF_THE_REST))
    # What is in flight by then mostly comes to its end.
    goal = int(leaves * _CANCELLED_AT) - window
    spec = _workflow(leaves, window)
    for _ in range(_TRIES):
        handle = await loop.start_workflow(spec)
        await _most_are_done(handle, goal)
        await handle.cancel("to be resumed")
        if (await handle.result(timeout=_TIMEOUT_S)).status is RunStatus.CANCELLED:
            return handle
    raise RuntimeError(f"{_TRIES} runs ended before they were cancelled.")


def counted(before: Sequence[Node], after: Sequence[Node], leaves: int, took_s: float) -> Resumed:
    """How many leaves were done, and how many were run after that.

    A leaf that was done and was run again is a defect, and so is one that is done twice, or not at all.
    """
    known = {leaf.id for leaf in before}
    new = [leaf for leaf in after if leaf.id not in known]
    had_ended = {leaf.path for leaf in before if leaf.status is NodeStatus.DONE}
    if again := sorted(had_ended & {leaf.path for leaf in new}):
        raise RuntimeError(f"{len(again)} leaves that were done ran again, {again[0]} for one.")
    done = [leaf.path for leaf in after if leaf.status is NodeStatus.DONE]
    if not len(done) == len(set(done)) == leaves:
        raise RuntimeError(f"{len(set(done))} of {leaves} leaves are done, by {len(done)} attempts.")
    return Resumed(done_before=leaves - len(new), ran=len(new), s=round(took_s, 2))


async def _most_are_done(handle: RunHandle, goal: int) -> None:
    """Wait until so many leaves of the run are done."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        root = await handle.tree()
        if root and root.node.done >= goal:
            return
        await asyncio.sleep(_LOOK_S)
    raise RuntimeError(f"the run did not have {goal} leaves done within {_TIMEOUT_S} seconds.")


async def _leaves_of(handle: RunHandle) -> list[Node]:
    """Each attempt at each leaf of a run that has ended."""
    return [node async for node in handle.events() if node.send_id]


def _check(result: RunResult) -> None:
    if not result.ok:
        raise RuntimeError(f"the run did not come to a value: {result.error or result.status}")


def _workflow(leaves: int, window: int) -> dict[str, Any]:
    leaf = {"type": "agent", "id": "leaf", "agent": AGENT, "input": "{{number}}"}
    return {
        "name": "fanout",
        "root": {
            "type": "foreach",
            "items": list(range(leaves)),
            "as": "number",
            "max_concurrency": window,
            "body": leaf,
        },
    }


def _ended_at(leaf: Node) -> datetime:
    assert leaf.ended_at is not None
    return leaf.ended_at


def _apart_ms(ends: Sequence[datetime]) -> float:
    """The mean time from one of these ends to the next, in milliseconds."""
    return (ends[-1] - ends[0]).total_seconds() * 1000 / (len(ends) - 1)
