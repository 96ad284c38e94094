"""Sub-agents: how a call becomes a session and a send of its own, and what its parent is told of the end.

Functions without I/O.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid5

from powerloop.kernel.agents import Agent, AgentRegistry
from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.messages import Block, TextBlock
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Lineage, NewSend, Send, SendStatus, StopReason
from powerloop.kernel.sessions import NewSession, Origin
from powerloop.kernel.suspension import NewChild, Suspension
from powerloop.kernel.waits import Spawn, SpawnMode
from powerloop.kernel.workflows import ISOLATED

TOO_DEEP_NOTE: Final = "Not started: sub-agents may not be nested deeper than {limit}. Do it yourself."
TOO_MANY_NOTE: Final = "Not started: one round may start {limit} sub-agents. Start it in a later round."
TREE_FULL_NOTE: Final = (
    "Not started: the {limit} sub-agents that this task may have in all are used up. Do it yourself."
)
RECEIPT: Final = "Started as session {session_id}. What it comes to will be sent to you when it is there."

#: Why a sub-agent's end is asked for, where its parent's was.
PARENT_CANCELLED: Final = "its parent was cancelled"
#: The same, where its parent ended before anybody asked.
PARENT_ENDED: Final = "its parent has ended"

_NAMESPACE: Final = UUID("8f0f6c0e-3f43-4d0a-9d55-0d7a4c7c2f11")

#: What a spec may have.
SPEC_FIELDS: Final = frozenset({"base", "model", "instructions", "tools", "max_rounds"})


def narrowed(agents: AgentRegistry, send: Send) -> Agent:
    """The agent that runs the send: a known one, or a known one as the spec of the session changes it.

    A spec is JSON: ``base`` (a known agent; by default the one that the session names), ``model``,
    ``instructions``, ``tools`` (names, each one of the base's) and ``max_rounds`` (at most the base's).

    Raises:
        AgentUnknown: no agent has that name.
        InvalidInput: the spec asks for a tool that the base does not have.
    """
    spec = send.spec
    if spec is None:
        return agents.get(send.agent)
    base = agents.get(str(spec.get("base", send.agent)))
    if spec.get("isolation") == "process":
        return _isolated(base, send, spec)
    changes: dict[str, Any] = {key: spec[key] for key in ("model", "instructions") if key in spec}
    if "tools" in spec:
        changes["tools"] = _chosen(base, spec)
    if "max_rounds" in spec:
        changes["max_rounds"] = min(base.max_rounds, int(str(spec["max_rounds"])))
    return replace(base, name=send.agent, **changes)


def _isolated(base: Agent, send: Send, spec: JSONObject) -> Agent:
    """An agent whose one model call is a whole send of the base, as the spec changes it, in a process of its
    own. Its tools run there, and nowhere else."""
    changes = {key: value for key, value in spec.items() if key not in ("base", "isolation")}
    told = {"agent": base.name, "spec": {"base": base.name, **changes} if changes else None}
    return replace(
        base,
        name=send.agent,
        model=f"{ISOLATED}{base.name}",
        instructions=json.dumps(told, ensure_ascii=False),
        tools=(),
        hooks=(),
    )


def limits_of(agent: Agent, send: Send) -> TreeLimits:
    """What the send may start: what its agent allows, narrowed by those above it."""
    return agent.tree.narrowed(send.lineage.limits if send.lineage else None)


def budget_of(agent: Agent, send: Send) -> Budget:
    """What the send may use: what its agent allows, narrowed by its producer. Those above it are not seen."""
    return agent.budget.narrowed(send.budget)


def charged_budgets(budget: Budget, send: Send) -> tuple[SendId, ...]:
    """The sends whose budgets the model calls of this one are charged to, where its own is `budget`."""
    above = send.lineage.budgets if send.lineage else ()
    return (*above, send.id) if budget.is_limited else above


def refused_spawn(agent: Agent, send: Send, started: int) -> str | None:
    """Why the send may not start one sub-agent more in this round, in words for the model; `None`: it may.

    Args:
        agent: What runs the send.
        send: The parent.
        started: Those of the round that may start.
    """
    limits = limits_of(agent, send)
    if send.depth >= limits.depth:
        return TOO_DEEP_NOTE.format(limit=limits.depth)
    if started >= limits.breadth:
        return TOO_MANY_NOTE.format(limit=limits.breadth)
    return None


def child_of(agent: Agent, parent: Send, call: ToolCall, spawn: Spawn) -> NewChild:
    """The sub-agent that a call asks for. Its ids are the same however often it is asked for."""
    name = f"{parent.id}:{call.id}"
    session = NewSession(
        id=SessionId(str(uuid5(_NAMESPACE, f"session {name}"))),
        agent=spawn.agent,
        metadata=parent.metadata,
        origin=Origin(parent_id=parent.session_id, lifecycle=spawn.lifecycle, spec=spawn.spec),
    )
    lineage = Lineage(
        session_id=parent.session_id,
        send_id=parent.id,
        call_id=call.id,
        root_id=parent.root_id,
        depth=parent.depth + 1,
        awaited=spawn.mode is SpawnMode.WAIT,
        limits=limits_of(agent, parent),
        budgets=charged_budgets(budget_of(agent, parent), parent),
    )
    return NewChild(
        call_id=call.id,
        session=session,
        send_id=child_send_id(parent.id, call.id),
        content=spawn.content,
        metadata=parent.metadata,
        priority=parent.priority,
        lineage=lineage,
    )


def child_send_id(parent_id: SendId, call_id: CallId) -> SendId:
    """The send of the sub-agent that a call starts."""
    return SendId(str(uuid5(_NAMESPACE, f"send {parent_id}:{call_id}")))


def full_note(suspension: Suspension, *, is_tree_full: bool) -> str:
    """Why a sub-agent was not started: the tree has no room for it, or else the round."""
    if is_tree_full:
        return TREE_FULL_NOTE.format(limit=suspension.max_descendants)
    return TOO_MANY_NOTE.format(limit=suspension.max_breadth)


def outcome_at_start(child: NewChild, send: Send | None, note: str) -> ToolOutcome | None:
    """How the call that asked for a sub-agent ends as its send is suspended; `None`: it waits.

    Args:
        child: What was asked for.
        send: The sub-agent's send; `None`: it was not started.
        note: Why it was not.
    """
    if send is None:
        return ToolOutcome(call_id=child.call_id, status=CallStatus.FAILED, text=note)
    if not child.lineage.awaited:
        receipt = RECEIPT.format(session_id=child.session.id)
        return ToolOutcome(call_id=child.call_id, status=CallStatus.DONE, text=receipt)
    return outcome_of(send, child.lineage) if send.status.is_final else None


def is_told(parent: Send, child: Send, lineage: Lineage) -> bool:
    """Whether the end of a sub-agent makes a difference to its parent.

    A call of a parent that ends, or is to end, is closed as it stands. A sub-agent that was cancelled with
    its parent has nothing to say that would be worth another send.
    """
    cut_off = parent.cancel is not None or parent.status in (SendStatus.CANCELLED, SendStatus.FAILED)
    if lineage.awaited:
        return not (cut_off or parent.status.is_final)
    return not (cut_off and child.status is SendStatus.CANCELLED)


def delivery_of(child: Send, lineage: Lineage) -> NewSend:
    """The send that tells the parent's session of the end of a sub-agent that was not awaited. Its id is the
    same however often it is asked for."""
    return NewSend(
        id=SendId(str(uuid5(_NAMESPACE, f"report {child.id}"))),
        session_id=lineage.session_id,
        content=report_of(child),
        policy=Policy.STEER,
        priority=child.priority,
        metadata=child.metadata,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    status: CallStatus
    text: str


def outcome_of(child: Send, lineage: Lineage) -> ToolOutcome:
    """How the call of the parent ends, now that the sub-agent's send has."""
    told = _told_of(child)
    return ToolOutcome(call_id=lineage.call_id, status=told.status, text=told.text)


def report_of(child: Send) -> tuple[Block, ...]:
    """What is sent to the parent's session of a sub-agent that it did not wait for."""
    told = _told_of(child)
    return (TextBlock(text=f"[The sub-agent {child.agent} in session {child.session_id}]\n{told.text}"),)


def _told_of(child: Send) -> _Told:
    match child.status:
        case SendStatus.COMPLETED:
            note = _STOP_NOTES.get(child.stop_reason) if child.stop_reason else None
            text = "\n".join(part for part in (child.text, note) if part)
            return _Told(status=CallStatus.DONE, text=text)
        case SendStatus.FAILED:
            assert child.error is not None
            return _Told(
                status=CallStatus.FAILED,
                text=f"The sub-agent failed ({child.error.code}): {child.error.message}",
            )
        case _:
            why = f": {child.cancel.reason}" if child.cancel and child.cancel.reason else ""
            return _Told(status=CallStatus.FAILED, text=f"The sub-agent was {child.status.value}{why}.")


_STOP_NOTES: Final[Mapping[StopReason, str]] = {
    StopReason.ROUND_LIMIT: "[The sub-agent stopped here: its rounds were used up.]",
    StopReason.BUDGET: "[The sub-agent stopped here: its budget was used up.]",
    StopReason.OUTPUT_LIMIT: "[The sub-agent's answer was cut off here: it was too long.]",
    StopReason.REFUSAL: "[The sub-agent declined.]",
}


def _chosen(base: Agent, spec: Mapping[str, Any]) -> tuple[Any, ...]:
    by_name = {tool.spec.name: tool for tool in base.tools}
    if unknown := [name for name in spec["tools"] if name not in by_name]:
        raise InvalidInput(
            f"agent {base.name!r} has no tool {unknown[0]!r}.", hint=f"It has: {', '.join(by_name)}."
        )
    return tuple(by_name[name] for name in spec["tools"])
