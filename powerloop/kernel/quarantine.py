"""Quarantine: a send on its last chance runs beside none that may be poison.

A send that kills its process kills the attempts of all others that run there, time after time, and its
victims would count as poison with it. So the last claim is made alone: who dies then, dies of itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol


class Suspect(Protocol):
    """What may kill its process: a send or a tool task."""

    @property
    def strikes(self) -> int:
        """Claims in a row that came to nothing."""
        ...


class Quarantine:
    """Admits sends to a process. Used on one event loop.

    Args:
        max_attempts: Claims without a commit in between, after which a send fails as poison.
    """

    def __init__(self, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._suspects = 0
        self._closed = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def admit(self, suspect: Suspect, *, is_to_end: bool = False) -> AsyncIterator[Callable[[], None]]:
        """Wait for a place, and keep it for the length of the block.

        A send without a strike comes at once, and so does one that is only to be ended. Others run beside
        each other, but not beside one on its last chance. The block gets what to call at a commit: the chance
        was taken.
        """
        if not suspect.strikes or is_to_end:
            yield _nothing
            return
        alone = suspect.strikes == self._max_attempts - 1
        while self._closed or (alone and self._suspects):
            await self._changed.wait()
        self._suspects += 1
        self._closed = alone
        try:
            yield self._open
        finally:
            self._suspects -= 1
            self._open()

    def _open(self) -> None:
        """Let others in: while one excludes them, there is nobody else to call this."""
        self._closed = False
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _nothing() -> None:
    """The commit of a send that excluded nobody."""
