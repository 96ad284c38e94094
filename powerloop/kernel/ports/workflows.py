"""The runs of workflows in a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import RunId, SendId
from powerloop.kernel.planning import Planner
from powerloop.kernel.sends import Send
from powerloop.kernel.workflows import Node, RunAdvance, RunStatus, WorkflowRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What a step of a run brought about."""

    #: To be published: the sends of leaves that begin, and the send of the run where that has ended.
    ready: tuple[Ready, ...] = ()
    #: The sends of leaves that nobody waits for any more: their end is to be asked for.
    unwanted: tuple[SendId, ...] = ()
    #: Whether there may be more to take note of.
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that is said to a run: a signal, or the path of a node to be passed over."""

    payload: Any
    signal: str | None = None
    path: str | None = None
    #: The same key says the same thing once, per run.
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """A run that is paused no more."""

    run: WorkflowRun
    #: Sends of its leaves that wait for a worker: to be published.
    ready: tuple[Send, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCost:
    """What the send of a leaf used."""

    input_tokens: int
    output_tokens: int
    #: In billionths of a US dollar; `None`: no price is known.
    cost: int | None
    #: The worker process that ran it last.
    worker: str | None


class Workflows(Protocol):
    """Runs, and their nodes. Each method is one transaction, and may raise `StoreUnavailable`."""

    async def find(self, run_id: RunId) -> WorkflowRun | None:
        """The run, or `None`: there is none, or the send that is to begin it has not been claimed yet."""
        ...

    async def list(
        self, *, status: RunStatus | None = None, name: str | None = None, limit: int = 100
    ) -> Sequence[WorkflowRun]:
        """Runs, latest first."""
        ...

    async def nodes(self, run_id: RunId) -> Sequence[Node]:
        """Every attempt at every node that has begun, in the order in which they began."""
        ...

    async def spec(self, run_id: RunId) -> Mapping[str, Any] | None:
        """The workflow of the run."""
        ...

    async def costs(self, run_id: RunId) -> Mapping[SendId, NodeCost]:
        """What the sends of its leaves used."""
        ...

    async def advance(self, run_id: RunId, planner: Planner) -> Advanced:
        """Take note of what has happened to the nodes of the run, and write down what follows.

        Under the lock of its session: whoever comes second finds nothing left to do. A run that is paused, or
        whose send is to end, goes no further; late results of one that has ended are kept.
        """
        ...

    async def tell(self, run_id: RunId, said: Said) -> bool:
        """Say something to a run. It is kept until a node takes it; each is taken by one node.

        Returns whether it is new.

        Raises:
            RunNotFound: there is no such run.
        """
        ...

    async def pause(self, run_id: RunId) -> WorkflowRun:
        """Have no further node begin, and no leaf be claimed. What runs goes on to its end, or until it
        waits.

        Raises:
            RunNotFound: there is no such run.
        """
        ...

    async def resume(self, run_id: RunId) -> Continued:
        """Have them begin, and be claimed, again.

        Raises:
            RunNotFound: there is no such run.
        """
        ...


class WorkflowRecovery(Protocol):
    """Finds runs that nobody moves on."""

    async def due(self, limit: int) -> Sequence[RunAdvance]:
        """Open runs with something to take note of: a leaf that has landed, a time that has come, a signal
        that was sent; or that have not begun."""
        ...

    async def disown(self, limit: int) -> Sequence[Send]:
        """Ask for the end of the sends of leaves that have not ended, though their node has. Returns those
        that no process has, for a worker to end them."""
        ...
