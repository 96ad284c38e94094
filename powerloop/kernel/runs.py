"""The sends that a process drives now, and what may befall them from outside."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.cancellation import current_task
from powerloop.kernel.ids import SendId
from powerloop.kernel.ports.lease import Held


class Run:
    """A send that this process drives now."""

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self._task = task
        #: It is somebody else's by now: nothing more may be written.
        self.lost = False
        #: Its end was asked for.
        self.cancelling = False
        #: It waits to be admitted.
        self.waiting = False
        #: It was claimed, and has steps that can be cut off.
        self.claimed = False
        #: Another activation came meanwhile. It may know what this run does not: that its turn has come, or
        #: that what it waits for is there.
        self.again = False
        #: How calls ended that the store could not be told of.
        self.untold: tuple[ToolOutcome, ...] = ()

    def lose(self) -> None:
        """Stop it: it is somebody else's."""
        if not self.lost:
            self.lost = True
            self._task.cancel()

    def activate(self) -> None:
        """Hear of another activation. What still waits begins anew: its row may say that it is to end."""
        self.again = True
        if self.waiting:
            self.lose()

    def survive(self) -> None:
        """Go on with the task though the run is over."""
        self._task.uncancel()

    def cancel(self) -> None:
        """Cut it off, for its end was asked for. Before its claim, the claim will tell."""
        if not self.cancelling:
            self.cancelling = True
            if self.claimed:
                self._task.cancel()


class Runs:
    """Every send that this process drives now."""

    def __init__(self) -> None:
        self._runs: dict[SendId, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def find(self, send_id: SendId) -> Run | None:
        return self._runs.get(send_id)

    @contextmanager
    def begin(self, send_id: SendId) -> Iterator[Run]:
        """Drive the send in the present task, for as long as the context lasts."""
        run = self._runs[send_id] = Run(current_task())
        try:
            yield run
        finally:
            del self._runs[send_id]

    def abandon(self) -> None:
        """Lose all of them."""
        for run in self._runs.values():
            run.lose()

    def compare(self, held: Sequence[Held]) -> Sequence[Held]:
        """Cancel those whose end was asked for; what is held by this process, and not driven."""
        orphans = []
        for send in held:
            run = self._runs.get(send.send_id)
            if run is None:
                orphans.append(send)
            elif send.cancel_requested:
                run.cancel()
        return orphans
