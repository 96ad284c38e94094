"""Deltas on their way to the caller, counted."""

from powerloop.kernel.ports.model import Deltas


class WatchedDeltas:
    """Passes deltas on and knows how much was emitted."""

    def __init__(self, inner: Deltas) -> None:
        self._inner = inner
        #: Characters of text and reasoning since the last rewind.
        self.characters = 0

    def text(self, delta: str) -> None:
        self.characters += len(delta)
        self._inner.text(delta)

    def reasoning(self, delta: str) -> None:
        self.characters += len(delta)
        self._inner.reasoning(delta)

    def rewind(self) -> None:
        self.characters = 0
        self._inner.rewind()
