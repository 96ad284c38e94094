"""A run of a workflow as it was found at an instant, and what has changed since. Without I/O."""

from dataclasses import dataclass
from datetime import datetime

from powerloop.client.run_tree import RunNode
from powerloop.client.runs import RunResult
from powerloop.kernel.ids import NodeId, RunId, SessionId
from powerloop.kernel.usage import UsageTotal
from powerloop.kernel.workflows import Node, NodeStatus, RunStatus, WorkflowRun


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLook:
    """A run as it was found at an instant."""

    id: RunId
    session_id: SessionId
    #: `None`: no worker has begun it.
    run: WorkflowRun | None
    #: How it ended; `None`: it has not.
    result: RunResult | None
    #: `None`: nothing has begun.
    root: RunNode | None
    #: What all its model calls used, those of former attempts too.
    total: UsageTotal
    at: datetime

    @property
    def status(self) -> RunStatus:
        """Open from the moment that it was accepted."""
        return self.result.status if self.result else RunStatus.OPEN

    @property
    def is_paused(self) -> bool:
        """Whether nothing of it begins until it is resumed."""
        return self.result is None and self.run is not None and self.run.paused_at is not None


class Changes:
    """Finds what has changed since the last look at a run."""

    def __init__(self) -> None:
        self._seen: dict[NodeId, tuple[NodeStatus, bool]] = {}

    def since(self, root: RunNode | None) -> list[RunNode]:
        """The nodes that are new, or in another state, in the order in which that came about."""
        found: list[tuple[tuple[float, int], RunNode]] = []
        for depth, item in root.walk() if root else ():
            node = item.node
            # That it has landed is of a moment, and of no interest to people.
            status = NodeStatus.RUNNING if node.status is NodeStatus.LANDED else node.status
            state = (status, node.fell_back)
            if self._seen.get(node.id) != state:
                self._seen[node.id] = state
                # Of one instant: what ends does so from the inside out, what begins from the outside in.
                place = -depth - 1 if node.status.is_final else depth
                found.append(((_instant(node), place), item))
        return [item for _, item in sorted(found, key=lambda one: one[0])]


def _instant(node: Node) -> float:
    at = node.ended_at if node.status.is_final else node.created_at
    return at.timestamp() if at else 0.0
