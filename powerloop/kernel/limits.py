"""Limits: how far a send may go, and the tree of sub-agents below it."""

from dataclasses import dataclass

from powerloop.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLimits:
    """How large the tree below one send may grow. A sub-agent inherits them, and may narrow them only.

    Raises:
        InvalidInput: a limit is negative.
    """

    #: How many sub-agents deep: 0 allows none.
    depth: int = 4
    #: The most sub-agents that one round may start.
    breadth: int = 10
    #: The most sub-agents in all below one send that a producer made, those that have ended included.
    total: int = 100

    def __post_init__(self) -> None:
        for name in ("depth", "breadth", "total"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"a limit is not negative: {name}={getattr(self, name)}.")

    def narrowed(self, other: "TreeLimits | None") -> "TreeLimits":
        """The smaller one of each."""
        if other is None:
            return self
        return TreeLimits(
            depth=min(self.depth, other.depth),
            breadth=min(self.breadth, other.breadth),
            total=min(self.total, other.total),
        )
