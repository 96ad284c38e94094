"""The scenes of ``powerloop demo``: what is asked, and what is shown of it."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from powerloop.client.handles import SendHandle
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.errors import DemoFailed
from powerloop.kernel.events import (
    InteractionOpened,
    SendEnded,
    SendStarted,
    SendWaiting,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from powerloop.kernel.ids import InteractionId
from powerloop.kernel.sends import Send

AGENT = "support"
CONCIERGE = "concierge"
SCOUT = "scout"
CROWD = 50

_TRIP = "Plan me a trip."
_CHILDREN = 3

_STORY = "Tell me a story."
#: About half of it, as a stream of 40 ms.
_DELTAS_BEFORE_THE_KILL = 40

#: How often the same question is asked before we give up on meeting the other worker.
_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class Played:
    """What a scene ran."""

    scene: str
    send: Send


def worker_pid(send: Send) -> str:
    """The process that ran the send."""
    return pid_of(send.owner or "::")


def pid_of(worker: str) -> str:
    """The process that a worker is: they are named host:pid:random."""
    return worker.split(":")[1]


async def memory(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """A conversation that two processes carry on between them."""
    session = await loop.create_session(AGENT)
    first = await _ask(loop, console, session.id, "My name is Ada.")
    played = [Played("memory", first)]
    for _ in range(_PATIENCE):
        answer = await _ask(loop, console, session.id, "What is my name?")
        played.append(Played("memory", answer))
        if "ada" not in answer.text.lower():
            raise DemoFailed(f"the agent forgot the name: it said {answer.text!r}.")
        if worker_pid(answer) != worker_pid(first):
            return played
    raise DemoFailed(f"all {_PATIENCE} questions were answered by the same worker.")


async def streaming(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """An answer, printed while another process receives it from the model."""
    session = await loop.create_session(AGENT)
    handle = await loop.send(session.id, _STORY)
    say_question(console, _STORY)
    deltas = 0
    async for event in handle.events():
        match event.body:
            case TextDelta(text=text):
                deltas += 1
                console.print(Text(text, style="green"), end="")
            case SendEnded():
                console.print()
    if deltas < 2:
        raise DemoFailed(f"the answer came in {deltas} piece(s), not as a stream.")
    return [Played("streaming", await ended(handle))]


async def tool_call(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """A question that the agent must look something up for."""
    session = await loop.create_session(AGENT)
    question = "Where is order A-17?"
    handle = await loop.send(session.id, question)
    say_question(console, question)
    called = await show_calls(console, handle)
    send = await ended(handle)
    say_answer(console, send)
    if not called:
        raise DemoFailed("the agent answered without looking the order up.")
    return [Played("tool call", send)]


async def crowd(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """Many sessions at once."""
    columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{CROWD} sessions", total=CROWD)
        visits = (_visit(loop, number, lambda: progress.advance(bar)) for number in range(CROWD))
        return [Played("crowd", send) for send in await asyncio.gather(*visits)]


async def takeover(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """An answer whose worker is killed while it writes: another one goes on, once the lease has run out."""
    session = await loop.create_session(AGENT)
    handle = await loop.send(session.id, _STORY)
    say_question(console, _STORY)
    deltas, killed = 0, ""
    async for event in handle.events():
        match event.body:
            case TextDelta(text=text):
                deltas += 1
                console.print(Text(text, style="green"), end="")
                if deltas == _DELTAS_BEFORE_THE_KILL and not killed:
                    killed = worker_pid(await handle.refresh())
                    os.kill(int(killed), signal.SIGKILL)
                    console.print(Text(f"\n  kill -9 {killed}", style="bold red"))
            case SendStarted(worker=worker) if killed:
                taken_by = pid_of(worker)
                says = f"  attempt {event.attempt}: {taken_by} takes over; rewind, what was written is void"
                console.print(Text(says, style="dim"))
            case SendEnded():
                console.print()
    send = await ended(handle)
    if not killed or worker_pid(send) == killed:
        raise DemoFailed("the worker could not be killed in the middle of its answer.")
    return [Played("takeover", send)]


async def family(loop: AsyncPowerLoop, console: Console) -> list[Played]:
    """A parent that waits for three sub-agents and for a person, as a row."""
    session = await loop.create_session(CONCIERGE)
    handle = await loop.send(session.id, _TRIP)
    say_question(console, _TRIP)
    async for event in handle.events():
        match event.body:
            case ToolStarted(name=name):
                console.print(Text(f"    → {name} …", style="dim"))
            case InteractionOpened(interaction_id=interaction_id):
                await _answer(loop, console, interaction_id)
            case SendWaiting():
                console.print(Text("    the parent waits; no worker holds it", style="dim"))
    send = await ended(handle)
    say_answer(console, send)
    children = [child for child in await loop.list_sends(agent=SCOUT) if child.root_id == send.id]
    if len(children) != _CHILDREN:
        raise DemoFailed(f"the parent started {len(children)} sub-agents, not {_CHILDREN}.")
    return [Played("family", one) for one in (send, *children)]


async def _answer(loop: AsyncPowerLoop, console: Console, interaction_id: InteractionId) -> None:
    [question] = [one for one in await loop.interactions() if one.id == interaction_id]
    console.print(Text(f"    ? {question.prompt}", style="bold yellow"))
    console.print(Text("    ! beach (says the script)", style="yellow"))
    await loop.answer(interaction_id, "beach", actor="demo")


def summary(played: list[Played]) -> Table:
    """What ran where: a row per scene and worker, or per send where a scene has few."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("scene", "worker pid", "sends", "epoch", "tokens", "milliseconds"):
        table.add_column(column, justify="left" if column == "scene" else "right")
    groups: dict[tuple[str, str], list[Send]] = {}
    for item in played:
        groups.setdefault((item.scene, worker_pid(item.send)), []).append(item.send)
    for (scene, pid), sends in groups.items():
        epochs = sorted({send.epoch for send in sends})
        table.add_row(
            scene,
            pid,
            str(len(sends)),
            f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}",
            str(sum(send.usage.total_tokens for send in sends)),
            f"{sum(_milliseconds(send) for send in sends) / len(sends):.0f}",
        )
    return table


async def _visit(loop: AsyncPowerLoop, number: int, advance: Callable[[], None]) -> Send:
    session = await loop.create_session(AGENT, metadata={"visitor": number})
    send = await ended(await loop.send(session.id, f"Hello, I am visitor {number}."))
    advance()
    return send


async def _ask(loop: AsyncPowerLoop, console: Console, session_id: str, question: str) -> Send:
    say_question(console, question)
    send = await ended(await loop.send(session_id, question))
    say_answer(console, send)
    return send


async def show_calls(console: Console, handle: SendHandle) -> list[str]:
    """The tools that the send calls until it ends, as they are shown, and by name once they have finished."""
    called = []
    async for event in handle.events():
        match event.body:
            case ToolStarted(name=name):
                console.print(Text(f"    → {name} …", style="dim"))
            case ToolFinished(name=name):
                called.append(name)
                console.print(Text(f"    ← {name}", style="dim"))
    return called


async def ended(handle: SendHandle) -> Send:
    """The send, once it has ended.

    Raises:
        DemoFailed: it did not complete.
    """
    result = await handle.result(timeout=60)
    if not result.ok:
        reason = result.error.message if result.error else result.status
        raise DemoFailed(f"send {result.send_id} did not complete: {reason}")
    return handle.send


def say_question(console: Console, text: str) -> None:
    """What is asked, as it is shown."""
    console.print(Text.assemble(("  you  ", "bold"), text))


def say_answer(console: Console, send: Send) -> None:
    """What was answered, and by which process, as it is shown."""
    console.print(Text.assemble((f"  {worker_pid(send):>5}", "cyan"), " ", (send.text, "green")))


def _milliseconds(send: Send) -> float:
    assert send.started_at is not None
    assert send.ended_at is not None
    return (send.ended_at - send.started_at).total_seconds() * 1000
