"""What may be known of a send, for tests of its explanation."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from powerloop.kernel.explain import Cause, Explanation, Facts, Lease, LockFacts, RunFacts, SendFacts, Workers
from powerloop.kernel.ids import CallId, InteractionId, NodeId, RunId, SendId, SessionId, TaskId, WorkerId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus
from powerloop.kernel.limits import TreeLimits
from powerloop.kernel.queues import QueueName
from powerloop.kernel.sends import CancelRequest, Lineage, Send, SendStatus
from powerloop.kernel.tool_tasks import TaskStatus, ToolTask
from powerloop.kernel.workflows import LeafPlace, RunStatus, WorkflowRun
from powerloop.testing.factories import BEGINNING, make_send

NOW = BEGINNING + timedelta(hours=1)
OWNER = WorkerId("box:41:aaaa")
OTHER = WorkerId("box:42:bbbb")


def a_task(status: TaskStatus, **fields: Any) -> ToolTask:
    given: dict[str, Any] = {
        "id": TaskId("task-1"),
        "session_id": SessionId("session-1"),
        "send_id": SendId("send-1"),
        "root_id": SendId("send-1"),
        "call_id": CallId("c1"),
        "tool": "browse",
        "queue": QueueName("browser"),
        "arguments": {},
        "edited": False,
        "priority": 0,
        "status": status,
        "attempt": 0,
        "strikes": 0,
        "owner": None,
        "created_at": before(9),
        "dispatched_at": before(9),
        "started_at": None,
        "ended_at": None,
    }
    return ToolTask(**{**given, **fields})


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def a_send(status: SendStatus, **fields: Any) -> Send:
    given = {"strikes": 0, "attempt": 0, "dispatched_at": before(1), "owner": None, **fields}
    return replace(make_send(), status=status, **given)


def facts(send: Send, *, about: dict[str, Any] | None = None, **rows: Any) -> Facts:
    """The facts of a send whose turn it is, in a system that is well; with what the test is about."""
    sound = {
        "now": NOW,
        "send": send,
        "dispatches": 1,
        "ahead": 0,
        "head_id": send.id,
        "is_head": True,
        "owner": None,
        "workers": Workers(alive=(OWNER, OTHER), last_expired_at=None),
        "agent_announced": True,
        "marked_at": None,
    }
    return Facts(rows=SendFacts(**{**sound, **rows}), max_attempts=5, **{"backlog": 0, **(about or {})})


def queued(*, about: dict[str, Any] | None = None, send: dict[str, Any] | None = None, **rows: Any) -> Facts:
    return facts(a_send(SendStatus.QUEUED, **(send or {})), about=about, **rows)


def running(owner: Lease | None = None, send: dict[str, Any] | None = None, **more: Any) -> Facts:
    owner = owner or Lease(worker=OWNER, alive=True, expires_at=NOW + timedelta(seconds=3))
    fields = {"owner": OWNER, "attempt": 1, "strikes": 1, "started_at": before(90), **(send or {})}
    return facts(a_send(SendStatus.RUNNING, **fields), owner=owner, **more)


def waiting(*, send: dict[str, Any] | None = None, **rows: Any) -> Facts:
    return facts(a_send(SendStatus.WAITING, attempt=1, started_at=before(90), **(send or {})), **rows)


def a_question(**fields: Any) -> Interaction:
    asked = Interaction(
        id=InteractionId("q-1"),
        kind=InteractionKind.INPUT,
        status=InteractionStatus.OPEN,
        session_id=SessionId("session-1"),
        send_id=SendId("send-1"),
        call_id=CallId("call-1"),
        tool="ask_user",
        arguments={},
        prompt="Which\n colour?",
        schema=None,
        choices=(),
        default=None,
        expires_at=None,
        answer=None,
        actor="",
        created_at=before(3 * 3600),
        closed_at=None,
    )
    return replace(asked, **fields)


def a_child(status: SendStatus = SendStatus.RUNNING) -> Send:
    lineage = Lineage(
        session_id=SessionId("session-1"),
        send_id=SendId("send-1"),
        call_id=CallId("call-1"),
        root_id=SendId("send-1"),
        depth=1,
        awaited=True,
        limits=TreeLimits(),
    )
    return replace(
        make_send(id="child-1", session_id="s-2"), agent="researcher", status=status, lineage=lineage
    )


def a_run(*, about: dict[str, Any] | None = None, **fields: Any) -> RunFacts:
    """A run that the send waits for; with what the test is about."""
    run = WorkflowRun(
        id=RunId("run-1"),
        owner_id=None,
        send_id=SendId("send-1"),
        call_id=CallId("call-1"),
        session_id=SessionId("session-1"),
        name="review",
        status=RunStatus.OPEN,
        value=None,
        code="",
        message="",
        created_at=before(90),
        paused_at=None,
        ended_at=None,
    )
    return RunFacts(run=replace(run, **(about or {})), **{"nodes": {}, "leaves": {}, **fields})


def of_a_leaf(**fields: Any) -> dict[str, Any]:
    """What the send of a leaf of that run has."""
    lineage = a_child().lineage
    assert lineage is not None
    place = LeafPlace(run_id=RunId("run-1"), node_id=NodeId("node-1"))
    return {"lineage": replace(lineage, call_id=CallId("root.steps[1]"), leaf=place), **fields}


def said(found: Explanation, code: Cause, *texts: str) -> None:
    """It tells this cause in one paragraph, and all of these are in it."""
    assert found.code is code
    assert "\n" not in found.text
    assert [text for text in texts if text not in found.text] == []


CANCEL = CancelRequest(reason="no longer needed", actor="ada", at=before(3))
LOCK = LockFacts(key="powerloop:lock:session-1", process="box:42", lasts=timedelta(seconds=3))
