"""Rows of tool tasks to nouns, and nouns to rows."""

from typing import Any

from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import Send
from powerloop.kernel.tool_tasks import NewToolTask, TaskStatus, ToolTask
from powerloop.store.database import Row
from powerloop.store.encoding import cleaned, decode


def task_of(row: Row) -> ToolTask:
    """The task of a row of `tool_tasks`."""
    return ToolTask(
        id=row["id"],
        session_id=row["session_id"],
        send_id=row["send_id"],
        root_id=row["root_id"],
        call_id=row["call_id"],
        tool=row["tool"],
        queue=row["queue"],
        arguments=decode(row["arguments"]),
        edited=bool(row["edited"]),
        priority=row["priority"],
        status=TaskStatus(row["status"]),
        attempt=row["attempt"],
        strikes=row["strikes"],
        owner=row["owner"],
        created_at=row["created_at"],
        dispatched_at=row["dispatched_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def new_task_row(send: Send, new: NewToolTask) -> dict[str, Any]:
    """The columns of `tool_tasks` that a task fills as it is queued, but those of the clock."""
    return {
        "id": new.id,
        "session_id": send.session_id,
        "send_id": send.id,
        "root_id": send.root_id,
        "call_id": clean_text(new.call_id),
        "tool": clean_text(new.tool),
        "queue": new.queue,
        "arguments": cleaned(new.arguments),
        "edited": new.edited,
        "priority": send.priority,
        "status": TaskStatus.QUEUED.value,
        "attempt": 0,
        "strikes": 0,
        "dispatches": 1,
    }
