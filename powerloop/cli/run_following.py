"""Following a run of a workflow: its tree, drawn again and again, or a line for each change."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from rich.live import Live

from powerloop.cli.console import Console
from powerloop.cli.node_words import node_line
from powerloop.cli.run_look import Changes, RunLook
from powerloop.cli.run_rows import node_row
from powerloop.cli.run_view import run_view
from powerloop.client.loop import AsyncPowerLoop
from powerloop.client.runs import RunHandle
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.ids import SessionId
from powerloop.kernel.workflows import RunStatus

Tell: TypeAlias = Callable[[RunLook], None]

#: Seconds between two looks at a run.
_LOOK_S: Final = 0.25
#: A look that takes long, since the run is large, is not repeated before so many times as long.
_REST: Final = 2


async def look_at(loop: AsyncPowerLoop, handle: RunHandle) -> RunLook:
    """The run as it is now.

    Raises:
        RunNotFound: its session was deleted.
    """
    # First: what is found after the end is the last of it.
    has_ended = await handle.status() is not RunStatus.OPEN
    return RunLook(
        id=handle.id,
        session_id=SessionId(handle.session_id),
        run=await handle.run(),
        result=await handle.result() if has_ended else None,
        root=await handle.tree(),
        total=(await loop.usage(session_id=handle.session_id)).total,
        at=SystemClock().now(),
    )


class RunFollower:
    """Shows one run until it has ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._changes = Changes()

    async def follow(self, loop: AsyncPowerLoop, handle: RunHandle) -> RunLook:
        """Show the run until it has ended. Returns how it stands then.

        Raises:
            RunNotFound: its session was deleted.
        """
        try:
            with self._view() as tell:
                return await _followed(loop, handle, tell)
        except asyncio.CancelledError:
            # Ctrl-C, which ends this command and nothing else.
            errors = Console.errors()
            errors.say("\nThe run goes on.", style="yellow")
            errors.say(f"To follow it again: powerloop workflow show {handle.id} --follow")
            errors.say(f"To end it: powerloop workflow cancel {handle.id}")
            raise

    @contextmanager
    def _view(self) -> Iterator[Tell]:
        """What shows a look at the run: in place on a terminal, line by line elsewhere."""
        if self._console.as_json or not self._console.rich.is_terminal:
            yield self._tell_changes
            return
        with Live(console=self._console.rich, auto_refresh=False) as live:
            yield lambda look: live.update(run_view(look, brief=True), refresh=True)

    def _tell_changes(self, look: RunLook) -> None:
        for item in self._changes.since(look.root):
            self._console.value(node_row(item))
            if not self._console.as_json:
                self._console.rich.print(node_line(item, look.at), soft_wrap=True)


async def _followed(loop: AsyncPowerLoop, handle: RunHandle, tell: Tell) -> RunLook:
    clock = SystemClock()
    ending = asyncio.create_task(handle.result())
    try:
        while True:
            has_ended, began = ending.done(), clock.monotonic()
            look = await look_at(loop, handle)
            tell(look)
            if look.result is not None:
                return look
            if has_ended:
                # It could not be waited for; or somebody has it go on.
                await ending
                ending = asyncio.create_task(handle.result())
            took = clock.monotonic() - began
            await asyncio.wait({ending}, timeout=max(_LOOK_S, _REST * took))
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


def value_text(value: Any, indent: int | None = 2) -> str:  # noqa: ANN401 - any JSON
    """What a run came to, for people."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)


def say_end(console: Console, look: RunLook, *, at_most: int | None = None) -> None:
    """Say what the run came to, or why it came to nothing.

    Args:
        console: Where a value is said.
        look: The run.
        at_most: So many characters of a value; `None`: all.
    """
    result = look.result
    if result is None:
        return
    if result.error is None:
        text = value_text(result.value)
        console.say(text if at_most is None or len(text) <= at_most else f"{text[:at_most]}…")
    elif result.status is RunStatus.CANCELLED:
        why = result.error.message or result.error.code
        Console.errors().say(f"cancelled: {why}" if why else "cancelled", style="yellow")
    else:
        errors = Console.errors()
        errors.say(f"{result.error.code}: {result.error.message}", style="red")
        errors.say(f"What is done is kept. To try the rest again: powerloop workflow resume {look.id}")
