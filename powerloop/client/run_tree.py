"""The tree of a run, as people look at it: nodes within nodes, with what each cost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from powerloop.kernel.ids import NodeId, SendId
from powerloop.kernel.ports.workflows import NodeCost
from powerloop.kernel.workflows import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNode:
    """A node of a run, with those in it."""

    #: The last attempt at it.
    node: Node
    #: Those in it that have begun, by their index; a fallback comes first.
    children: tuple["RunNode", ...]
    #: What its send used, with all that this started; `None` for a node without a send of its own.
    cost: NodeCost | None

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "RunNode"]]:
        """It and all below it, each with how far below it is."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def tree_of(nodes: Sequence[Node], costs: Mapping[SendId, NodeCost]) -> RunNode | None:
    """The tree of the nodes that are the last attempts at theirs; `None`: nothing has begun."""
    below: defaultdict[NodeId | None, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.current:
            below[node.parent_id].append(node)

    def made(node: Node) -> RunNode:
        children = sorted(below[node.id], key=lambda one: one.index)
        cost = costs.get(node.send_id) if node.send_id else None
        return RunNode(node=node, children=tuple(map(made, children)), cost=cost)

    return made(below[None][-1]) if below[None] else None
