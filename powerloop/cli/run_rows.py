"""Runs of workflows and their nodes as rows, for tables and for programs."""

from powerloop.cli.run_look import RunLook
from powerloop.client.run_tree import RunNode
from powerloop.kernel.money import dollars
from powerloop.kernel.workflows import WorkflowRun


def run_row(run: WorkflowRun) -> dict[str, object]:
    """A run that a worker has begun, as a row."""
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status.value,
        "session_id": run.session_id,
        "send_id": run.send_id,
        "owner_id": run.owner_id,
        "value": run.value,
        "error_code": run.code or None,
        "error": run.message or None,
        "created_at": run.created_at,
        "paused_at": run.paused_at,
        "ended_at": run.ended_at,
    }


def look_row(look: RunLook) -> dict[str, object]:
    """A run as it was found, with what it used, as a row."""
    error = look.result.error if look.result else None
    return {
        "id": look.id,
        "name": look.run.name if look.run else None,
        "status": look.status.value,
        "session_id": look.session_id,
        "send_id": look.run.send_id if look.run else look.id,
        "owner_id": look.run.owner_id if look.run else None,
        "value": look.result.value if look.result else None,
        "error_code": error.code if error else None,
        "error": error.message if error else None,
        "created_at": look.run.created_at if look.run else None,
        "paused_at": look.run.paused_at if look.run else None,
        "ended_at": look.run.ended_at if look.run else None,
        "input_tokens": look.total.usage.input_tokens,
        "output_tokens": look.total.usage.output_tokens,
        "cost_usd": f"{look.total.cost:f}",
        "unpriced_calls": look.total.unpriced_calls,
    }


def node_row(item: RunNode) -> dict[str, object]:
    """A node as a row: money as a decimal text in US dollars."""
    node, cost = item.node, item.cost
    return {
        "run_id": node.run_id,
        "id": node.id,
        "parent_id": node.parent_id,
        "index": node.index,
        "path": node.path,
        "type": node.type,
        "name": node.name,
        "attempt": node.attempt,
        "status": node.status.value,
        "total": node.total,
        "begun": node.begun,
        "ended": node.ended,
        "failed": node.bad,
        "fell_back": node.fell_back,
        "value": node.value,
        "error_code": node.code or None,
        "error": node.message or None,
        "tolerated": node.tolerated,
        "send_id": node.send_id,
        "signal": node.signal,
        "wakes_at": node.wakes_at,
        "created_at": node.created_at,
        "ended_at": node.ended_at,
        "input_tokens": cost.input_tokens if cost else None,
        "output_tokens": cost.output_tokens if cost else None,
        "cost_usd": f"{dollars(cost.cost):f}" if cost and cost.cost is not None else None,
        "worker": cost.worker if cost else None,
    }
