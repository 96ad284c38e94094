"""Runs as models look at them: the tree in words."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from powerloop.kernel.ids import NodeId, RunId, SendId, SessionId
from powerloop.kernel.ports.store import Store
from powerloop.kernel.workflows import Node

#: Nodes that a model is shown.
_SHOWN: Final = 100


class StoredRuns:
    """The `RunReader` over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def told(self, session_id: SessionId, name: str) -> str | None:
        """As `RunReader.told`."""
        run_id = await self._started_by(session_id, name)
        if run_id is None:
            return None
        run = await self._store.workflows.find(run_id)
        if run is None:
            return "It waits for a worker to begin it."
        why = f" ({run.code}: {run.message})" if run.code else ""
        lines = list(_lines(await self._store.workflows.nodes(run_id)))
        if len(lines) > _SHOWN:
            lines = [*islice(lines, _SHOWN), f"… and {len(lines) - _SHOWN} more"]
        return "\n".join([f"The workflow {run.name} is {run.status}{why}.", *lines])

    async def _started_by(self, session_id: SessionId, name: str) -> RunId | None:
        """The run of that session, or of that id, if the session has started it."""
        session = await self._store.sessions.find(SessionId(name))
        if session is None:
            send = await self._store.sends.find(SendId(name))
            session = await self._store.sessions.find(send.session_id) if send else None
        if session is None or session.origin is None or session.origin.parent_id != session_id:
            return None
        sends = await self._store.sends.list(session_id=session.id, limit=100)
        return RunId(sends[-1].id) if sends else None


def _lines(nodes: Sequence[Node]) -> Iterator[str]:
    below: defaultdict[NodeId | None, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.current:
            below[node.parent_id].append(node)

    def told(node: Node, depth: int) -> Iterator[str]:
        count = f", {node.ended} of {node.total} have ended" if node.total > 1 else ""
        why = f" ({node.code}: {node.message})" if node.code else ""
        name = f" {node.name}" if node.name else ""
        yield f"{'  ' * depth}{node.type}{name}: {node.status}{count}{why}"
        for child in sorted(below[node.id], key=lambda one: one.index):
            yield from told(child, depth + 1)

    for root in below[None]:
        yield from told(root, 0)
