"""The machine: a run of a workflow in memory, moved on by the ends of its leaves. Without I/O.

It knows what may run now, what has ended and with what; when, where and how leaves run is not its business.
"""

from collections import ChainMap, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from powerloop.workflow.beginning import Opened, Work, begin
from powerloop.workflow.joining import Close, GoOn, Tally, child_of, join, value_of
from powerloop.workflow.outcomes import CANCELLED, Ended, Outcome
from powerloop.workflow.references import INPUT
from powerloop.workflow.spec import (
    BranchNode,
    Fallback,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    SubflowNode,
    WorkflowSpec,
)

Scope: TypeAlias = ChainMap[str, Any]

_FALLBACK: Final = -1


@dataclass(slots=True)
class Instance:
    """A node of a run: each iteration of a foreach or loop has its own."""

    #: Unique in the run: ``root.steps[1].body#3``.
    path: str
    node: Node
    scope: Scope
    parent: "Instance | None" = None
    index: int = 0
    #: From 1.
    attempt: int = 1
    opened: Opened | None = None
    tally: Tally | None = None
    children: dict[int, "Instance"] = field(default_factory=dict)
    outcome: Outcome | None = None

    def walk(self) -> Iterator["Instance"]:
        """It and all below it that has begun."""
        yield self
        for index in sorted(self.children):
            yield from self.children[index].walk()


class Machine:
    """One run.

    Args:
        spec: Valid, its subflows inline.
        input: What it is given; what the spec says where there is none.
    """

    def __init__(self, spec: WorkflowSpec, input: Any = None) -> None:  # noqa: ANN401 - any JSON
        given = spec.input if input is None else input
        self.root = Instance("root", spec.root, ChainMap({INPUT: given}))
        #: What leaves are to do that have begun and not ended, by their paths.
        self.ready: dict[str, Work] = {}
        self._leaves: dict[str, Instance] = {}
        #: Children to begin: a list, and no recursion, for thousands may begin and end at once.
        self._next: deque[tuple[Instance, Opened, int]] = deque()
        self._begin(self.root)
        self._go_on()

    @property
    def outcome(self) -> Outcome | None:
        """How the run has ended; `None`: it has not."""
        return self.root.outcome

    def name_of(self, path: str) -> str:
        """The id of a leaf that has begun, or what it is."""
        node = self._leaves[path].node
        return node.id or node.type

    def leaf_ended(self, path: str, outcome: Outcome) -> None:
        """Move on from the end of a leaf. One that is not awaited any more changes nothing."""
        leaf = self._leaves.pop(path, None)
        if leaf is not None and self.ready.pop(path, None) is not None:
            self._end(leaf, outcome)
            self._go_on()

    def end(self, path: str, outcome: Outcome) -> None:
        """End a node that has begun, with all below it: its time is over, or a person has said so."""
        instance = next((one for one in self.root.walk() if one.path == path), None)
        if instance is not None and instance.outcome is None:
            self._cancel_below(instance)
            self._end(instance, outcome)
            self._go_on()

    def _go_on(self) -> None:
        while self._next:
            instance, opened, index = self._next.popleft()
            # The end of another may have ended it, or have it tried again.
            if instance.outcome is None and instance.opened is opened:
                self._begin_child(instance, opened, index)

    def _begin(self, instance: Instance) -> None:
        match begin(instance.node, instance.scope):
            case Outcome() as outcome:
                self._end(instance, outcome)
            case Opened() as opened:
                instance.opened = opened
                first = min(opened.window, opened.total)
                instance.tally = Tally(total=opened.total, begun=first)
                self._next.extend((instance, opened, index) for index in range(first))
            case work:
                self.ready[instance.path] = work
                self._leaves[instance.path] = instance

    def _begin_child(self, instance: Instance, opened: Opened, index: int) -> None:
        child = Instance(
            path=_path(instance, index),
            node=child_of(instance.node, index, opened.chosen),
            scope=_scope(instance, opened, index),
            parent=instance,
            index=index,
        )
        instance.children[index] = child
        self._begin(child)

    def _end(self, instance: Instance, outcome: Outcome) -> None:
        """Try again, run something else, or tell the node that it is in."""
        node = instance.node
        if outcome.status is Ended.FAILED:
            if _may_retry(instance, outcome):
                self._cancel_below(instance)
                instance.attempt += 1
                instance.opened, instance.tally = None, None
                instance.children.clear()
                self._begin(instance)
                return
            if isinstance(node.on_error, Fallback) and _FALLBACK not in instance.children:
                path = f"{instance.path}.on_error.fallback"
                other = Instance(path, node.on_error.fallback, instance.scope, instance, _FALLBACK)
                instance.children[_FALLBACK] = other
                self._begin(other)
                return
            if node.on_error == "continue":
                outcome = replace(outcome, tolerated=True)
        instance.outcome = outcome
        if node.id:
            instance.scope[node.id] = outcome.value
        if instance.parent is not None:
            self._tell(instance.parent, instance, outcome)

    def _tell(self, parent: Instance, child: Instance, outcome: Outcome) -> None:
        if parent.outcome is not None:
            return  # it came too late; its value is kept with it
        if child.index == _FALLBACK:
            self._end(parent, outcome)
            return
        assert parent.tally is not None
        parent.tally = tally = parent.tally.counting(outcome)
        match join(parent.node, tally, child.index, outcome, child.scope):
            case GoOn(index=index):
                parent.tally = replace(tally, begun=max(tally.begun, index + 1))
                assert parent.opened is not None
                self._next.append((parent, parent.opened, index))
            case Close(failure=failure):
                self._close(parent, failure)

    def _close(self, instance: Instance, failure: Outcome | None) -> None:
        if getattr(instance.node, "losers", "cancel") == "cancel":
            self._cancel_below(instance)
        if failure is not None:
            # Its own, whoever below it has failed.
            self._end(instance, replace(failure, tolerated=False))
            return
        self._end(instance, Outcome.done(value_of(instance.node, _values(instance))))

    def _cancel_below(self, instance: Instance) -> None:
        for one in instance.walk():
            if one is not instance and one.outcome is None:
                one.outcome = CANCELLED
                self.ready.pop(one.path, None)
                self._leaves.pop(one.path, None)


def _may_retry(instance: Instance, outcome: Outcome) -> bool:
    retry = instance.node.retry
    if retry is None or _FALLBACK in instance.children:
        return False
    return instance.attempt < retry.attempts and (retry.on is None or outcome.code in retry.on)


def _values(instance: Instance) -> list[Any]:
    """The values of the children, in their order; null for those that have none."""
    assert instance.tally is not None
    is_fan_out = isinstance(instance.node, ParallelNode | ForeachNode)
    count = instance.tally.total if is_fan_out else instance.tally.begun
    ended = (instance.children.get(index) for index in range(count))
    return [one.outcome.value if one and one.outcome else None for one in ended]


def _path(instance: Instance, index: int) -> str:
    match instance.node:
        case ForeachNode() | LoopNode():
            return f"{instance.path}.body#{index}"
        case BranchNode():
            return f"{instance.path}.case"
        case SubflowNode():
            return f"{instance.path}.spec.root"
        case ParallelNode():
            return f"{instance.path}.branches[{index}]"
        case _:
            return f"{instance.path}.steps[{index}]"


def _scope(instance: Instance, opened: Opened, index: int) -> Scope:
    """What the names have in a child: each iteration has results of its own."""
    match instance.node:
        case ForeachNode(as_=name):
            return instance.scope.new_child({name: opened.items[index]})
        case LoopNode():
            return instance.scope.new_child()
        case SubflowNode():
            return ChainMap({INPUT: opened.input})
        case _:
            return instance.scope
