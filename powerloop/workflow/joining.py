"""What the end of a node does to the one that it is in: functions without I/O.

Counters are enough to decide: nothing is asked of the nodes beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, assert_never

from powerloop.workflow.conditions import holds
from powerloop.workflow.outcomes import Ended, Outcome, Values
from powerloop.workflow.policies import BestEffort, Quorum
from powerloop.workflow.spec import (
    BranchNode,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    SequenceNode,
    SubflowNode,
    WorkflowSpec,
)

EXHAUSTED = "workflow.loop_exhausted"
NO_QUORUM = "workflow.no_quorum"
MEMBERS_FAILED = "workflow.members_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far the nodes in an open node are."""

    #: How many there may be.
    total: int
    #: How many have begun.
    begun: int
    #: How many have ended; of these, how many came to a value, and how many failed without leave.
    ended: int = 0
    done: int = 0
    bad: int = 0

    def counting(self, outcome: Outcome) -> "Tally":
        """With one more that has ended."""
        return replace(
            self,
            ended=self.ended + 1,
            done=self.done + (outcome.status is Ended.DONE),
            bad=self.bad + (not outcome.is_well),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Begin the next one."""

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StayOpen:
    """Others have not ended yet, and none is to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The node has ended. What is in it and has not is cancelled, unless it may finish."""

    #: Why it failed; `None`: it is done, and its value is `value_of`.
    failure: Outcome | None = None


Joined: TypeAlias = GoOn | StayOpen | Close


def join(node: Node, tally: Tally, index: int, outcome: Outcome, values: Values) -> Joined:
    """What follows from the end of one.

    Args:
        node: The open node.
        tally: Its counters, the one that has ended included.
        index: Which one has ended.
        outcome: How.
        values: What the names have within it by now.
    """
    match node:
        case SequenceNode() | BranchNode() | SubflowNode():
            if not outcome.is_well:
                return Close(failure=outcome)
            return GoOn(index=index + 1) if index + 1 < tally.total else Close()
        case LoopNode():
            return _loop(node, tally, index, outcome, values)
        case ParallelNode() | ForeachNode():
            return _fan_out(node, tally, outcome)
        case _:
            raise AssertionError(node.type)


def value_of(node: Node, values: Sequence[Any]) -> Any:  # noqa: ANN401 - any JSON
    """The value of a node that is done.

    Args:
        node: The node.
        values: Of those in it, in their order; null for those that have none.
    """
    match node:
        case ParallelNode(branches=branches):
            names = [branch.id or f"branch{index}" for index, branch in enumerate(branches)]
            return dict(zip(names, values, strict=True))
        case ForeachNode():
            return list(values)
        case _:
            return values[-1] if values else None


def child_of(node: Node, index: int, chosen: int) -> Node:
    """The node of that index in an open one.

    Args:
        node: The open node.
        index: Which one.
        chosen: The case of a branch.
    """
    match node:
        case SequenceNode(steps=several) | ParallelNode(branches=several):
            return several[index]
        case ForeachNode(body=body) | LoopNode(body=body):
            return body
        case BranchNode(cases=cases, default=default):
            child = cases[chosen].then if chosen < len(cases) else default
            assert child is not None
            return child
        case SubflowNode(spec=WorkflowSpec(root=root)):
            return root
        case _:
            raise AssertionError(node.type)


def _loop(node: LoopNode, tally: Tally, index: int, outcome: Outcome, values: Values) -> Joined:
    if not outcome.is_well:
        return Close(failure=outcome)
    if holds(node.until, values):
        return Close()
    if index + 1 < tally.total:
        return GoOn(index=index + 1)
    if node.on_exhausted == "continue":
        return Close()
    return Close(
        failure=Outcome.failed(EXHAUSTED, f"its condition did not hold after {tally.total} iterations")
    )


def _fan_out(node: ParallelNode | ForeachNode, tally: Tally, outcome: Outcome) -> Joined:
    """Whether enough have ended; else the next one begins."""
    match node.join:
        case "all":
            failure, is_over = _bad(tally, outcome), tally.ended == tally.total
        case BestEffort():
            failure, is_over = None, tally.ended == tally.total
        case "any" | Quorum():
            needed = node.join.quorum if isinstance(node.join, Quorum) else 1
            failure, is_over = _too_few(tally, needed), tally.done >= needed
        case unreachable:
            assert_never(unreachable)
    if is_over or failure:
        return Close(failure=failure)
    return GoOn(index=tally.begun) if tally.begun < tally.total else StayOpen()


def _bad(tally: Tally, outcome: Outcome) -> Outcome | None:
    """Why not all of them come to a value; `None`: they still can."""
    if not tally.bad:
        return None
    if not outcome.is_well:
        return outcome
    return Outcome.failed(MEMBERS_FAILED, f"{tally.bad} of {tally.total} failed before, and were left so")


def _too_few(tally: Tally, needed: int) -> Outcome | None:
    """Why so many cannot come to a value any more; `None`: they can."""
    without = tally.ended - tally.done
    if without <= tally.total - needed:
        return None
    return Outcome.failed(
        NO_QUORUM, f"{without} of {tally.total} came to nothing: {needed} values cannot be had any more"
    )
