"""Instances: nodes of a run that have begun, and what the names have where they stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID, uuid5

from powerloop.kernel.ids import NodeId
from powerloop.workflow.beginning import Opened, Work
from powerloop.workflow.joining import Tally, child_of
from powerloop.workflow.outcomes import Outcome
from powerloop.workflow.references import INPUT, NOTHING
from powerloop.workflow.spec import (
    BranchNode,
    Fallback,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    SubflowNode,
)

#: The index of what runs where a node has failed.
FALLBACK: Final = -1

_NAMESPACE: Final = UUID("0f3a7c52-77c5-4c5e-9c61-2f9f5b8a4d10")


class Source(Protocol):
    """Where an instance that was not begun here has its past from. It raises what its owner understands."""

    def named(self, frames: tuple[NodeId, ...], name: str) -> Any:  # noqa: ANN401 - any JSON, or NOTHING
        """What the name has in the first of these frames, if it has a value there."""
        ...

    def item(self, node_id: NodeId, index: int) -> Any:  # noqa: ANN401 - any JSON
        """What that iteration of a foreach is about."""
        ...

    def values(self, node_id: NodeId) -> Mapping[int, Any]:
        """The values of those in a node that have ended."""
        ...


class Frame(Mapping[str, Any]):
    """What the names have where some nodes stand: each iteration has results of its own.

    Args:
        id: The node that it begins with.
        outer: Where names are looked for that have nothing here.
        values: What names have from the beginning.
        item: What the foreach calls its item, the foreach, and which one it is.
        source: The past of a frame that was not begun here.
    """

    def __init__(
        self,
        id: NodeId,
        *,
        outer: "Frame | None" = None,
        values: Mapping[str, Any] | None = None,
        item: "tuple[str, Instance, int] | None" = None,
        source: Source | None = None,
    ) -> None:
        self.id = id
        self.outer = outer
        self._values = dict(values or {})
        self._item = item
        self.source = source

    def assign(self, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        """Have the name have the value, here and in what is inside."""
        self._values[name] = value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        frames = list(self._chain())
        found = next((value for one in frames if (value := one.own(name)) is not NOTHING), NOTHING)
        for place, one in enumerate(frames):
            if found is NOTHING and one.source is not None:
                # It knows of all those further out, too.
                found = one.source.named(tuple(outer.id for outer in frames[place:]), name)
                break
        if found is NOTHING:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def own(self, name: str) -> Any:  # noqa: ANN401 - any JSON, or NOTHING
        """What is known of the name here without its past."""
        if self._item and name == self._item[0] and name not in self._values:
            _, foreach, index = self._item
            self._values[name] = foreach.item(index)
        return self._values.get(name, NOTHING)

    def _chain(self) -> "Iterator[Frame]":
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer


@dataclass(slots=True, eq=False)
class Instance:
    """One attempt at a node of a run: each iteration of a foreach or loop has its own."""

    id: NodeId
    #: Where it stands: ``root.steps[1].body#3``.
    path: str
    node: Node
    frame: Frame
    parent: "Instance | None" = None
    index: int = 0
    #: From 1.
    attempt: int = 1
    opened: Opened | None = None
    tally: Tally | None = None
    fell_back: bool = False
    #: What a leaf does.
    work: Work | None = None
    #: How long it waits before it begins, in seconds.
    delay_s: float = 0.0
    #: Those in it that are known, by their index: of each the last attempt.
    children: dict[int, "Instance"] = field(default_factory=dict)
    outcome: Outcome | None = None
    #: The one that has its value, where that is not itself.
    value_from: "Instance | None" = None
    is_new: bool = True
    #: Whether it had ended before: its value was not loaded.
    is_past: bool = False
    #: Whether it began in this step.
    begun: bool = False
    #: Whether another attempt follows it.
    superseded: bool = False
    #: The attempt that it follows.
    before: "Instance | None" = None
    source: Source | None = None

    @property
    def is_current(self) -> bool:
        """Whether no other attempt follows it, or one that it is in."""
        up: Instance | None = self
        while up is not None:
            if up.superseded:
                return False
            up = up.parent
        return True

    def walk(self) -> Iterator["Instance"]:
        """It and all below it that is known."""
        yield self
        for index in sorted(self.children):
            yield from self.children[index].walk()

    def item(self, index: int) -> Any:  # noqa: ANN401 - any JSON
        """What that iteration of a foreach is about."""
        if self.opened and self.opened.items:
            return self.opened.items[index]
        assert self.source is not None
        return self.source.item(self.id, index)

    def values(self) -> list[Any]:
        """The values of those in a fan-out, in their order; null for those that have none."""
        assert self.tally is not None
        past = self.source.values(self.id) if self.source and not self.is_new else {}
        ended = ((index, one) for index, one in self.children.items() if not one.is_past)
        known = {index: one.outcome.value for index, one in ended if one.outcome}
        return [known[index] if index in known else past.get(index) for index in range(self.tally.total)]


def root_of(
    run_id: str,
    node: Node,
    given: Any,  # noqa: ANN401 - any JSON
    attempt: int = 1,
    source: Source | None = None,
) -> Instance:
    """The root of a run that is given this."""
    name = node_id(run_id, 0, attempt)
    frame = Frame(name, values={INPUT: given}, source=source)
    return Instance(name, "root", node, frame, attempt=attempt)


def child(parent: Instance, index: int, attempt: int = 1, source: Source | None = None) -> Instance:
    """The one of that index in an open node, or its fallback."""
    name = node_id(parent.id, index, attempt)
    node, path = _node_of(parent, index)
    frame = parent.frame if index == FALLBACK else _frame(parent, index, name, source)
    return Instance(name, path, node, frame, parent, index, attempt)


def node_id(parent_id: str, index: int, attempt: int) -> NodeId:
    """The id of that attempt at the one of that index; the same, whoever asks."""
    return NodeId(str(uuid5(_NAMESPACE, f"{parent_id}/{index}/{attempt}")))


def _node_of(parent: Instance, index: int) -> tuple[Node, str]:
    node, path = parent.node, parent.path
    if index == FALLBACK:
        assert isinstance(node.on_error, Fallback)
        return node.on_error.fallback, f"{path}.on_error.fallback"
    assert parent.opened is not None
    inside = child_of(node, index, parent.opened.chosen)
    match node:
        case ForeachNode() | LoopNode():
            return inside, f"{path}.body#{index}"
        case BranchNode():
            return inside, f"{path}.case"
        case SubflowNode():
            return inside, f"{path}.spec.root"
        case ParallelNode():
            return inside, f"{path}.branches[{index}]"
        case _:
            return inside, f"{path}.steps[{index}]"


def _frame(parent: Instance, index: int, id: NodeId, source: Source | None) -> Frame:
    match parent.node:
        case ForeachNode(as_=name):
            return Frame(id, outer=parent.frame, item=(name, parent, index), source=source)
        case LoopNode():
            return Frame(id, outer=parent.frame, source=source)
        case SubflowNode():
            assert parent.opened is not None
            return Frame(id, values={INPUT: parent.opened.input}, source=source)
        case _:
            return parent.frame
