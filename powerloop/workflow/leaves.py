"""Leaves: the sessions and sends by which nodes do what they do."""

import json
from typing import Any, Final

from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.jsontypes import JSON, JSONObject
from powerloop.kernel.limits import Budget, TreeLimits
from powerloop.kernel.messages import TextBlock
from powerloop.kernel.sends import Lineage, Send
from powerloop.kernel.sessions import Lifecycle, NewSession, Origin
from powerloop.kernel.subagents import charged_budgets
from powerloop.kernel.suspension import NewChild
from powerloop.kernel.workflows import ASKER, CALLER, LeafPlace
from powerloop.workflow.beginning import AgentWork, HumanWork, ToolWork, Work
from powerloop.workflow.policies import InlineAgent

_AS_JSON: Final = (
    "Answer with JSON and nothing else: no other text, no code fence. It must match this JSON Schema:\n"
    "{schema}"
)


def leaf_of(send: Send, place: LeafPlace, work: Work, *, path: str, attempt: int) -> NewChild | None:
    """The session and the send of a leaf; `None`: it needs none, for it waits for a time or a signal.

    Args:
        send: What drives the run.
        place: Where the leaf belongs. Its send and session go by the id of the node.
        work: What it does.
        path: Of the node, for the eyes of people.
        attempt: At the node, from 1.
    """
    told = _told(work)
    if told is None:
        return None
    agent, spec, text = told
    metadata = {
        **send.metadata,
        "workflow_run": place.run_id,
        "workflow_node": path,
        "workflow_attempt": attempt,
    }
    session = NewSession(
        id=SessionId(place.node_id),
        agent=agent,
        metadata=metadata,
        origin=Origin(parent_id=send.session_id, lifecycle=Lifecycle.LINKED, spec=spec),
    )
    return NewChild(
        call_id=CallId(path),
        session=session,
        send_id=SendId(place.node_id),
        content=(TextBlock(text=text),),
        metadata=metadata,
        priority=send.priority,
        lineage=_lineage(send, place, path),
    )


def call_text(name: str, arguments: JSONObject) -> str:
    """The input of a send that makes one call."""
    return json.dumps({"call": name, "arguments": arguments}, ensure_ascii=False)


def _lineage(send: Send, place: LeafPlace, path: str) -> Lineage:
    return Lineage(
        session_id=send.session_id,
        send_id=send.id,
        call_id=CallId(path),
        # Each leaf may have a tree of its own size.
        root_id=SendId(place.node_id),
        depth=send.depth + 1,
        awaited=True,
        limits=send.lineage.limits if send.lineage else TreeLimits(),
        budgets=charged_budgets(send.budget or Budget(), send),
        leaf=place,
    )


def _told(work: Work) -> tuple[str, JSONObject | None, str] | None:
    """The agent, how it differs from one that workers know, and its input."""
    match work:
        case AgentWork(agent=agent, input=text, output_schema=schema):
            apart: JSONObject = {"isolation": "process"} if work.isolation == "process" else {}
            if schema is not None:
                wanted = _AS_JSON.format(schema=json.dumps(schema, ensure_ascii=False))
                text = f"{text}\n\n{wanted}"
            if isinstance(agent, InlineAgent):
                return agent.name or agent.base, {**_spec_of(agent), **apart}, text
            return agent, apart or None, text
        case ToolWork(agent=agent, tool=tool, arguments=arguments):
            return agent, {"model": CALLER, "tools": [tool]}, call_text(tool, arguments)
        case HumanWork():
            return ASKER, None, call_text("ask_user", _question(work))
        case _:
            return None


def _spec_of(agent: InlineAgent) -> JSONObject:
    spec: dict[str, JSON] = agent.model_dump(mode="json", exclude_none=True, exclude={"name"})
    return spec


def _question(work: HumanWork) -> JSONObject:
    asked: dict[str, Any] = {"prompt": work.prompt}
    if work.choices:
        asked["choices"] = list(work.choices)
    if work.schema is not None:
        asked["schema"] = work.schema
    return asked
