"""Rows of runs and nodes to nouns, and nouns to rows."""

from typing import Any, Final

from sqlalchemy import null

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.planning import NodeWrite
from powerloop.kernel.workflows import Node, NodeStatus, Resume, RunStatus, WorkflowRun
from powerloop.store.columns import after, now
from powerloop.store.database import Row
from powerloop.store.encoding import cleaned, decode
from powerloop.store.schema import workflow_nodes, workflow_runs

#: The columns of a run, but for what it runs.
RUN_COLUMNS: Final = tuple(
    column for column in workflow_runs.c if column.name not in ("spec", "input", "resume", "priority")
)
#: The columns of a node, but for its value, which may be large.
NODE_COLUMNS: Final = tuple(column for column in workflow_nodes.c if column.name != "value")


def run_of(row: Row) -> WorkflowRun:
    """The run of a row of `workflow_runs`."""
    return WorkflowRun(
        id=row["id"],
        send_id=row["send_id"],
        call_id=row["call_id"],
        session_id=row["session_id"],
        owner_id=row["owner_id"],
        name=row["name"],
        status=RunStatus(row["status"]),
        value=json_of(row["value"]),
        code=row["code"],
        message=row["message"],
        created_at=row["created_at"],
        paused_at=row["paused_at"],
        ended_at=row["ended_at"],
    )


def node_of(row: Row) -> Node:
    """The node of a row of `workflow_nodes`, with its value if that is there."""
    return Node(
        id=row["id"],
        run_id=row["run_id"],
        parent_id=row["parent_id"],
        index=row["place"],
        path=row["path"],
        type=row["type"],
        name=row["name"],
        frame_id=row["frame_id"],
        attempt=row["attempt"],
        status=NodeStatus(row["status"]),
        current=bool(row["current"]),
        opened=json_of(row["opened"]),
        total=row["total"],
        begun=row["begun"],
        ended=row["ended"],
        done=row["done"],
        bad=row["bad"],
        fell_back=bool(row["fell_back"]),
        value=json_of(row.get("value")),
        value_id=row["value_id"],
        code=row["code"],
        message=row["message"],
        tolerated=bool(row["tolerated"]),
        send_id=row["send_id"],
        signal=row["signal"],
        wakes_at=row["wakes_at"],
        deadline_at=row["deadline_at"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


def node_row(write: NodeWrite) -> dict[str, Any]:
    """The columns of `workflow_nodes` that may change, as the write has them."""
    node = write.node
    return {
        "status": node.status.value,
        "current": node.current,
        "opened": null() if node.opened is None else cleaned(node.opened),
        "total": node.total,
        "begun": node.begun,
        "ended": node.ended,
        "done": node.done,
        "bad": node.bad,
        "fell_back": node.fell_back,
        "value": null() if node.value is None else cleaned(node.value),
        "value_id": node.value_id,
        "code": clean_text(node.code),
        "message": clean_text(node.message),
        "tolerated": node.tolerated,
        "send_id": node.send_id,
        "signal": node.signal,
        "wakes_at": node.wakes_at if write.wakes_in is None else after(write.wakes_in),
        "deadline_at": node.deadline_at if write.times_out_in is None else after(write.times_out_in),
        "ended_at": now() if node.status.is_final else None,
    }


def new_node_row(write: NodeWrite) -> dict[str, Any]:
    """Every column of `workflow_nodes`."""
    node = write.node
    return {
        "id": node.id,
        "run_id": node.run_id,
        "parent_id": node.parent_id,
        "place": node.index,
        "path": node.path,
        "type": node.type,
        "name": node.name,
        "frame_id": node.frame_id,
        "attempt": node.attempt,
        "created_at": now(),
        **node_row(write),
    }


def resume_row(resume: Resume | None) -> Any:  # noqa: ANN401 - a JSON column
    """The column `resume`."""
    if resume is None:
        return null()
    return {"path": resume.path, "skip": resume.skip, "value": cleaned(resume.value)}


def resume_of(text: str | None) -> Resume | None:
    """The same, read again."""
    return None if text is None else Resume(**decode(text))


def json_of(text: str | None) -> Any:  # noqa: ANN401 - whatever was encoded
    """The value of a JSON column that may be null."""
    return None if text is None else decode(text)
