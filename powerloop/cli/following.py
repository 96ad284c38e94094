"""Following a send: its answer, printed as it is written, and what else it tells."""

import asyncio

from powerloop.cli.console import Console
from powerloop.client.handles import SendHandle
from powerloop.kernel.errors import ResultTimeout
from powerloop.kernel.events import (
    Event,
    InteractionOpened,
    MessageCommitted,
    Rewind,
    SendEnded,
    SendWaiting,
    TextDelta,
    ToolFinished,
    ToolStarted,
)


class Follower:
    """Prints what one send tells."""

    def __init__(self, console: Console) -> None:
        self._console = console
        #: Whether text was printed that no commit has made true yet.
        self._uncommitted = False

    async def follow(self, handle: SendHandle, timeout: float | None) -> None:
        """Print events until the send has ended.

        Raises:
            ResultTimeout: it has not ended in time. It goes on.
        """
        try:
            async with asyncio.timeout(timeout):
                async for event in handle.events():
                    self._console.value(_row(event))
                    self._tell(event)
        except TimeoutError:
            raise ResultTimeout(
                f"send {handle.id} has not ended within {timeout:g} seconds; it goes on."
            ) from None

    def _tell(self, event: Event) -> None:
        say = self._console.say
        match event.body:
            case TextDelta(text=text):
                self._console.write(text)
                self._uncommitted = True
            case Rewind():
                if self._uncommitted:
                    say("\n(the text above is void: starting over)", style="dim")
                self._uncommitted = False
            case MessageCommitted():
                self._uncommitted = False
            case ToolStarted(name=name):
                say(f"\n→ {name} …", style="dim")
            case ToolFinished(name=name, is_error=is_error):
                say(f"{'✗' if is_error else '←'} {name}", style="dim")
            case InteractionOpened(interaction_id=interaction_id):
                say(f"\n? A person is asked: powerloop inbox show {interaction_id}", style="yellow")
                say(f"  powerloop inbox answer {interaction_id} --done TEXT | --run | --give-up")
            case SendWaiting():
                say("The send waits for the answer. It holds no worker.", style="dim")
            case SendEnded():
                say("")


def _row(event: Event) -> dict[str, object]:
    fields = {name: getattr(event.body, name) for name in event.body.__dataclass_fields__}
    return {"type": event.type, "attempt": event.attempt, "offset": event.offset, "at": event.at, **fields}
