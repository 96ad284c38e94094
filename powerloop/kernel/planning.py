"""Planning: what a step of a run is decided from, and what it comes to.

The journal loads no more than the nodes that something has happened to, and those that they are in. What
else the decision turns out to need it asks for, and is made anew once that is there: it is a pure function.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID, uuid5

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.ids import CallId, NodeId, RunId, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send, SendError, SendStatus, StopReason
from powerloop.kernel.suspension import NewChild
from powerloop.kernel.workflows import Node, Resume, RunStatus

_NAMESPACE: Final = UUID("c6a0f7b4-7d0e-4e7b-8a1c-2f4b9d5e6a38")

#: The code of a run that was cancelled.
CANCELLED: Final = "workflow.cancelled"
#: The code of what did not come to its end, for no other reason that is known.
INCOMPLETE: Final = "workflow.incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """The send of a leaf has ended."""

    node_id: NodeId
    send: Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """The time has come that a node waited for."""

    node_id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The time of a node is over."""

    node_id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """What a node waited for was said."""

    node_id: NodeId
    payload: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A person has said that nobody is to wait for a node any longer, and what it came to."""

    node_id: NodeId
    value: Any


#: What may happen to a node.
NodeEvent: TypeAlias = Landed | Woken | TimedOut | Signalled | PassedOver


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecNeed:
    """The workflow and the input of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNeed:
    """What a name has in some frames."""

    frames: tuple[NodeId, ...]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemNeed:
    """What an iteration of a foreach is about."""

    node_id: NodeId
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesNeed:
    """The values of those in a node, by their index."""

    node_id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNeed:
    """Every node of the run that is the last attempt at it, without values: only a resume asks for it."""


Need: TypeAlias = SpecNeed | NamedNeed | ItemNeed | ValuesNeed | TreeNeed


@dataclass(slots=True)
class Loaded:
    """What was asked for, and is there now."""

    spec: JSONObject | None = None
    input: Any = None
    #: By frame and name; a name that has no value in a frame is in `nameless`.
    named: dict[tuple[NodeId, str], Any] = field(default_factory=dict)
    nameless: set[tuple[NodeId, str]] = field(default_factory=set)
    items: dict[tuple[NodeId, int], Any] = field(default_factory=dict)
    values: dict[NodeId, Mapping[int, Any]] = field(default_factory=dict)
    tree: Sequence[Node] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What has happened to a run, and the nodes that it concerns."""

    run_id: RunId
    #: The send that drives the run.
    send: Send
    events: Sequence[NodeEvent]
    #: Those that something has happened to, and all that they are in; none for a run that is to begin.
    nodes: Mapping[NodeId, Node]
    #: Set for a run that goes on after its end.
    resume: Resume | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWrite:
    """A node as it is to be written."""

    node: Node
    is_new: bool
    #: From now on, where the node does not say at which instant.
    wakes_in: timedelta | None = None
    times_out_in: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ends."""

    status: RunStatus
    value: Any = None
    code: str = ""
    message: str = ""

    def outcome(self, call_id: CallId) -> ToolOutcome:
        """How the call ends that waits for the run; of a failure, its code and message as JSON."""
        if self.status is RunStatus.DONE:
            text = self.value if isinstance(self.value, str) else _json(self.value)
            return ToolOutcome(call_id=call_id, status=CallStatus.DONE, text=text)
        told = {"code": self.code or CANCELLED, "message": self.message}
        return ToolOutcome(call_id=call_id, status=CallStatus.FAILED, text=_json(told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a step comes to, in the order in which it is written."""

    #: All below these that has not ended is cancelled.
    cut_off: tuple[NodeId, ...] = ()
    #: These, and all below them, are attempts that others follow.
    superseded: tuple[NodeId, ...] = ()
    writes: tuple[NodeWrite, ...] = ()
    #: The items of a foreach that was opened.
    items: Mapping[NodeId, Sequence[Any]] = field(default_factory=dict)
    #: Sessions and sends of leaves that begin.
    leaves: tuple[NewChild, ...] = ()
    #: Set with the end of the root.
    end: RunEnd | None = None


def cut_short(status: SendStatus, stop_reason: StopReason | None, error: SendError | None) -> RunEnd:
    """How a run ends whose send ends without it: it is cancelled if that is, and has failed otherwise."""
    if status is SendStatus.CANCELLED:
        return RunEnd(status=RunStatus.CANCELLED)
    if error is not None:
        return RunEnd(status=RunStatus.FAILED, code=error.code, message=error.message)
    code = f"budget.{stop_reason}" if stop_reason is StopReason.BUDGET else INCOMPLETE
    return RunEnd(status=RunStatus.FAILED, code=code, message="its budget, or its time, was used up")


def report_of(run_id: RunId, name: str, end: RunEnd, owner_id: SessionId, send: Send) -> NewSend:
    """The send that tells a session of the end of a run. Its id is the same however often it is asked for."""
    told = end.outcome(CallId("")).text
    if end.status is not RunStatus.DONE:
        told = f"It {end.status} ({end.code or CANCELLED}): {end.message}"
    return NewSend(
        id=SendId(str(uuid5(_NAMESPACE, f"{run_id} {send.id}"))),
        session_id=owner_id,
        content=(TextBlock(text=f"[The workflow {name}, run {run_id}]\n{told}"),),
        policy=Policy.STEER,
        priority=send.priority,
        metadata=send.metadata,
    )


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Planner(Protocol):
    """Decides what follows in a run."""

    def plan(self, snapshot: Snapshot, loaded: Loaded) -> Plan | Need:
        """What is to be written, or what must be loaded first. A pure function, but for what it remembers of
        specs, which never change."""
        ...
