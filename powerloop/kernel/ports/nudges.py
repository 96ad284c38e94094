"""Nudges: how those who mind a send hear that somebody else has changed its row."""

from typing import Protocol

from powerloop.kernel.sends import Send


class Nudges(Protocol):
    """A hint; the row is the truth, and whoever minds it looks at it every few seconds anyway."""

    async def nudge(self, send: Send) -> None:
        """Have whoever runs the send look at its row; or, if it has ended, whoever waits for its end.

        Never raises: an unheard nudge costs seconds.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
