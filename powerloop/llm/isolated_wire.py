"""What a leaf's own process is asked, and what it answers: one JSON object each way."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any, Final

from powerloop.kernel.codec import content_from_json, content_to_json
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.limits import MAX_COST, MAX_SPAN, MAX_TOKENS
from powerloop.kernel.messages import Block
from powerloop.kernel.money import dollars, nanodollars
from powerloop.kernel.sends import SendError, SendStatus, StopReason
from powerloop.kernel.usage import CallOutcome, ModelCallEntry, Usage

_CODE: Final = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40})?")
_COUNTS: Final = tuple(count.name for count in fields(Usage))
_MAX_LATENCY_MS: Final = MAX_SPAN // timedelta(milliseconds=1)
_MAX_NANODOLLARS: Final = nanodollars(MAX_COST)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRequest:
    """One send that is to be run."""

    #: The name of the agent; with a `spec` that has a base, any.
    agent: str
    #: How the agent differs from one that the application has; `None`: not at all.
    spec: JSONObject | None
    content: tuple[Block, ...]
    #: How long it may take.
    deadline: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafOutcome:
    """What it came to."""

    #: ``completed``; `None` where there is an error.
    status: SendStatus | None = None
    text: str = ""
    stop_reason: StopReason | None = None
    usage: Usage = field(default_factory=Usage)
    #: Every attempt at a model call, those of sub-agents included.
    entries: tuple[ModelCallEntry, ...] = ()
    error: SendError | None = None


def request_to_json(request: LeafRequest) -> bytes:
    return _encoded(
        {
            "agent": request.agent,
            "spec": request.spec,
            "input": content_to_json(request.content),
            "deadline_s": request.deadline.total_seconds(),
        }
    )


def request_from_json(data: bytes) -> LeafRequest:
    """The request that `data` describes.

    Raises:
        InvalidInput: it describes none.
    """
    try:
        found = json.loads(data)
        return LeafRequest(
            agent=_checked(found["agent"], str),
            spec=None if found["spec"] is None else _checked(found["spec"], dict),
            content=content_from_json(found["input"]),
            deadline=timedelta(seconds=found["deadline_s"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InvalidInput(f"this is no request for a leaf: {error!r}.") from error


def outcome_to_json(outcome: LeafOutcome) -> bytes:
    """``{"status", "text", "stop_reason", "usage", "entries"}``, or ``{"error": {"code", "message"}, …}``."""
    spent = {"usage": asdict(outcome.usage), "entries": [_entry_to_json(one) for one in outcome.entries]}
    if outcome.error:
        return _encoded({"error": asdict(outcome.error), **spent})
    told = {"status": outcome.status, "text": outcome.text, "stop_reason": outcome.stop_reason}
    return _encoded({**told, **spent})


def outcome_from_json(data: bytes) -> LeafOutcome:
    """The outcome that `data` describes. It is read with suspicion: a tool may have written it.

    Raises:
        InvalidInput: it describes none.
    """
    try:
        found = json.loads(data)
        usage = _usage(found["usage"])
        entries = tuple(_entry(one) for one in found["entries"])
        if "error" in found:
            return LeafOutcome(error=_error(found["error"]), usage=usage, entries=entries)
        reason = found["stop_reason"]
        return LeafOutcome(
            status=_completed(found["status"]),
            text=_checked(found["text"], str),
            stop_reason=None if reason is None else StopReason(reason),
            usage=usage,
            entries=entries,
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"this is no outcome of a leaf: {error!r}.") from error


def _entry_to_json(entry: ModelCallEntry) -> dict[str, Any]:
    return {
        "model": entry.model,
        "usage": asdict(entry.usage),
        "outcome": entry.outcome,
        "latency_ms": entry.latency / timedelta(milliseconds=1),
        "purpose": entry.purpose,
        "error_code": entry.error_code,
        "estimated": entry.estimated,
        "cost_nanodollars": None if entry.cost is None else nanodollars(entry.cost),
    }


def _entry(data: Mapping[str, Any]) -> ModelCallEntry:
    cost, code = data["cost_nanodollars"], data["error_code"]
    return ModelCallEntry(
        model=_checked(data["model"], str),
        usage=_usage(data["usage"]),
        outcome=CallOutcome(data["outcome"]),
        latency=timedelta(milliseconds=_amount(data["latency_ms"], int, float, most=_MAX_LATENCY_MS)),
        purpose=_checked(data["purpose"], str),
        error_code=None if code is None else _checked(code, str),
        estimated=_checked(data["estimated"], bool),
        cost=None if cost is None else dollars(_amount(cost, int, most=_MAX_NANODOLLARS)),
    )


def _completed(status: object) -> SendStatus:
    if status != SendStatus.COMPLETED:
        raise ValueError(f"{status!r:.100} is no status of an outcome without an error")
    return SendStatus.COMPLETED


def _error(data: Mapping[str, Any]) -> SendError:
    code = _checked(data["code"], str)
    if not _CODE.fullmatch(code):
        raise ValueError(f"{code!r:.100} is no code of an error")
    return SendError(code=code, message=_checked(data["message"], str))


def _usage(data: Mapping[str, Any]) -> Usage:
    counts = {name: _amount(data[name], int, most=MAX_TOKENS) for name in _COUNTS}
    return Usage(**counts)


def _amount(value: Any, *kinds: type, most: int) -> Any:  # noqa: ANN401 - one of the kinds
    if not 0 <= _checked(value, *kinds) <= most:
        raise ValueError(f"{value} is not from 0 to {most}")
    return value


def _checked(value: Any, *kinds: type) -> Any:  # noqa: ANN401 - one of the kinds
    if type(value) not in kinds:
        raise TypeError(f"{value!r:.100} is no {kinds[0].__name__}")
    return value


def _encoded(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()
