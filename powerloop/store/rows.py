"""Rows to nouns, and nouns to rows: the one place that knows both.

A row is read by the names of its columns, so that a column added by a later release disturbs nobody. JSON
comes as text from every driver.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from powerloop.kernel.calls import CallStatus, Effect, NewToolCall, ToolCall, ToolOutcome
from powerloop.kernel.codec import budget_from_json, content_from_json
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus, NewInteraction
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.limits import TreeLimits
from powerloop.kernel.messages import Message, Role
from powerloop.kernel.money import nanodollars
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import (
    CancelRequest,
    Lineage,
    Send,
    SendError,
    SendStatus,
    StopReason,
    queue_of,
)
from powerloop.kernel.sessions import Lifecycle, Origin, Session, SessionStatus
from powerloop.kernel.usage import ModelCallEntry, Usage
from powerloop.kernel.workflows import LeafPlace
from powerloop.store.database import Row
from powerloop.store.encoding import cleaned, decode
from powerloop.store.ledger import cleaned_entry


def session_of(row: Row) -> Session:
    """The session of a row of `sessions`."""
    return Session(
        id=row["id"],
        agent=row["agent"],
        status=SessionStatus(row["status"]),
        metadata=decode(row["metadata"]),
        epoch=row["epoch"],
        seq=row["seq"],
        accepted=row["accepted"],
        finished=row["finished"],
        origin=_origin_of(row),
        policy=Policy(row["policy"]),
        steering=row["steering"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        paused_at=row["paused_at"],
    )


def send_of(row: Row) -> Send:
    """The send of a row of `sends` with its session's `agent`."""
    return Send(
        id=row["id"],
        session_id=row["session_id"],
        agent=row["agent"],
        position=row["position"],
        status=SendStatus(row["status"]),
        policy=Policy(row["policy"]),
        content=content_from_json(decode(row["content"])),
        idempotency_key=row["idempotency_key"],
        priority=row["priority"],
        metadata=decode(row["metadata"]),
        attempt=row["attempt"],
        strikes=row["strikes"],
        epoch=row["epoch"],
        owner=row["owner"],
        rounds=row["rounds"],
        usage=usage_of(row),
        stop_reason=_given(StopReason, row["stop_reason"]),
        error=_error_of(row),
        cancel=_cancel_of(row),
        output=content_from_json(decode(row["output"])),
        created_at=row["created_at"],
        dispatched_at=row["dispatched_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        lineage=None if row["lineage"] is None else lineage_of(decode(row["lineage"])),
        spec=_json_of(row["spec"]),
        budget=None if row["budget"] is None else budget_from_json(decode(row["budget"])),
    )


def lineage_row(lineage: Lineage | None) -> dict[str, Any]:
    """The columns of `sends` that say where the send of a sub-agent comes from, and where it waits."""
    if lineage is None:
        return {}
    return {
        "lineage": asdict(lineage),
        "parent_send_id": lineage.send_id,
        "root_id": lineage.root_id,
        "queue": queue_of(lineage),
    }


def lineage_of(data: Mapping[str, Any]) -> Lineage:
    """The lineage of the column `lineage`, decoded."""
    leaf = data.get("leaf")
    return Lineage(
        **{
            **data,
            "limits": TreeLimits(**data["limits"]),
            "budgets": tuple(data.get("budgets", ())),
            "leaf": None if leaf is None else LeafPlace(**leaf),
        }
    )


def origin_row(origin: Origin | None) -> dict[str, Any]:
    """The columns of `sessions` that say whose sub-agent it is."""
    if origin is None:
        return {}
    spec = {} if origin.spec is None else {"spec": origin.spec}
    return {"parent_id": origin.parent_id, "lifecycle": origin.lifecycle.value, **spec}


def messages_of(rows: Sequence[Row]) -> list[Message]:
    """The messages of rows of `messages`. A window has thousands of them, before each send."""
    # One parse of all contents takes a third of the time of a parse of each.
    contents = decode(f"[{','.join([row['content'] for row in rows])}]")
    return [_message(row, content) for row, content in zip(rows, contents, strict=True)]


def call_of(row: Row) -> ToolCall:
    """The tool call of a row of `tool_calls`."""
    return ToolCall(
        id=row["id"],
        send_id=row["send_id"],
        round=row["round"],
        index=row["call_index"],
        name=row["name"],
        arguments=decode(row["arguments"]),
        effect=Effect(row["effect"]),
        status=CallStatus(row["status"]),
        result=row["result"],
        full_result=row["full_result"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        approved=bool(row["approved"]),
        wakes_at=row["wakes_at"],
    )


def interaction_of(row: Row) -> Interaction:
    """The question of a row of `interactions`."""
    return Interaction(
        id=row["id"],
        kind=InteractionKind(row["kind"]),
        status=InteractionStatus(row["status"]),
        session_id=row["session_id"],
        send_id=row["send_id"],
        call_id=row["call_id"],
        tool=row["tool"],
        arguments=decode(row["arguments"]),
        prompt=row["prompt"],
        schema=_json_of(row["schema"]),
        choices=tuple(_json_of(row["choices"]) or ()),
        default=_json_of(row["default_answer"]),
        expires_at=row["expires_at"],
        answer=_json_of(row["answer"]),
        actor=row["actor"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
    )


def usage_row(usage: Usage) -> dict[str, int]:
    """The columns of token counts, in `sends` and in `model_calls`."""
    return asdict(usage)


def entry_row(entry: ModelCallEntry) -> dict[str, Any]:
    """The columns of `model_calls` that an attempt at a model call fills."""
    entry = cleaned_entry(entry)
    return {
        "model": entry.model,
        "purpose": entry.purpose,
        "outcome": entry.outcome.value,
        "error_code": entry.error_code,
        "estimated": entry.estimated,
        "latency_ms": round(entry.latency / timedelta(milliseconds=1)),
        "cost": None if entry.cost is None else nanodollars(entry.cost),
        **usage_row(entry.usage),
    }


def new_call_row(call: NewToolCall) -> dict[str, Any]:
    """The columns of `tool_calls` that a call fills as it is asked for."""
    return {
        "id": clean_text(call.id),
        "name": clean_text(call.name),
        "arguments": call.arguments,
        "effect": call.effect.value,
        "call_index": call.index,
    }


def cancel_row(reason: str, actor: str, at: object) -> dict[str, object]:
    """The columns of `sends` that a cancel fills."""
    return {
        "cancel_reason": clean_text(reason),
        "cancel_actor": clean_text(actor),
        "cancel_requested_at": at,
    }


def new_interaction_row(new: NewInteraction) -> dict[str, Any]:
    """The columns of `interactions` that a question fills as it is asked."""
    return {
        "id": new.id,
        "kind": new.kind.value,
        "call_id": clean_text(new.call_id),
        "prompt": clean_text(new.prompt),
        "choices": cleaned(list(new.choices)),
        **({} if new.schema is None else {"schema": cleaned(new.schema)}),
        **({} if new.default is None else {"default_answer": cleaned(new.default)}),
    }


def outcome_row(outcome: ToolOutcome) -> dict[str, Any]:
    """The columns of `tool_calls` that the end of a call fills, with the call's id."""
    return {
        "id": clean_text(outcome.call_id),
        "status": outcome.status.value,
        "result": clean_text(outcome.text),
        "full_result": None if outcome.full_text is None else clean_text(outcome.full_text),
    }


#: A lookup takes a third of the time of `Role(...)`.
_ROLES = {role.value: role for role in Role}


def _message(row: Row, content: Sequence[Mapping[str, Any]]) -> Message:
    return Message(
        seq=row["seq"],
        role=_ROLES[row["role"]],
        content=content_from_json(content),
        send_id=row["send_id"],
        epoch=row["epoch"],
        created_at=row["created_at"],
        metadata=decode(row["metadata"]),
    )


def _json_of(text: str | None) -> Any:  # noqa: ANN401 - whatever was encoded
    return None if text is None else decode(text)


def _origin_of(row: Row) -> Origin | None:
    if row["parent_id"] is None:
        return None
    return Origin(
        parent_id=row["parent_id"], lifecycle=Lifecycle(row["lifecycle"]), spec=_json_of(row["spec"])
    )


def usage_of(row: Row) -> Usage:
    """The token counts of a row that has `usage_row`'s columns."""
    return Usage(
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_tokens=row["cached_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
    )


def _error_of(row: Row) -> SendError | None:
    if row["error_code"] is None:
        return None
    return SendError(code=row["error_code"], message=row["error_message"] or "")


def _cancel_of(row: Row) -> CancelRequest | None:
    at = row["cancel_requested_at"]
    if at is None:
        return None
    return CancelRequest(reason=row["cancel_reason"], actor=row["cancel_actor"], at=at)


def _given(kind: type[StopReason], value: str | None) -> StopReason | None:
    return None if value is None else kind(value)
