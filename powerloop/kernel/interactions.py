"""Interactions: questions to people that a tool call waits for."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId
from powerloop.kernel.jsontypes import JSON, JSONObject

GIVEN_UP_NOTE = (
    "The process that ran this call died, and nobody could say whether it took effect. It was not run again."
)
NO_ANSWER_NOTE = "Nobody answered in time."


class InteractionKind(StrEnum):
    """What is asked."""

    #: Whatever the model wants to know. The answer is the result of the call.
    INPUT = "input"
    #: Whether a call may run.
    APPROVAL = "approval"
    #: Whether an `Effect.ONCE` call took effect whose process died.
    IN_DOUBT = "in_doubt"


class InteractionStatus(StrEnum):
    """Where a question is in its life."""

    #: It waits for its answer, and its send with it. `Journal.suspend` makes it. It belongs to no process.
    OPEN = "open"
    #: It was answered; the first answer won. Final.
    ANSWERED = "answered"
    #: Nobody answered in time: its default was taken, or its call failed. Final.
    EXPIRED = "expired"
    #: Its send ended without it. Final.
    WITHDRAWN = "withdrawn"


class DoubtAction(StrEnum):
    """What a person may say of a call in doubt. The answer is ``{"action": …}``."""

    #: It took effect; ``result`` (a text) is what the model sees.
    DONE = "done"
    #: It did not take effect: it is run.
    RUN = "run"
    #: Leave it: the model is told that nobody knows.
    GIVE_UP = "give_up"


class ApprovalAction(StrEnum):
    """What a person may say of a call that needs approval. The answer is ``{"action": …}``."""

    #: It runs as the model asked for it.
    APPROVE = "approve"
    #: It runs with ``arguments`` in place of those that the model gave; the model is told.
    EDIT = "edit"
    #: It does not run; the model is told ``reason``, if there is one.
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInteraction:
    """A question to be asked."""

    id: InteractionId
    kind: InteractionKind
    call_id: CallId
    #: In words, for the person.
    prompt: str
    #: JSON Schema: of the answer (`INPUT`), or of the arguments (`APPROVAL`). `None`: any JSON will do.
    schema: JSONObject | None = None
    #: What may be chosen from; empty: anything that the schema allows.
    choices: tuple[JSON, ...] = ()
    #: How long an answer is waited for; `None`: for ever.
    within: timedelta | None = None
    #: The answer when that time is over; `None`: the call fails then.
    default: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """A question to a person that a tool call waits for."""

    id: InteractionId
    kind: InteractionKind
    status: InteractionStatus
    session_id: SessionId
    send_id: SendId
    #: The call that waits.
    call_id: CallId
    #: The tool that the call is of, and what the model asked it for.
    tool: str
    arguments: JSONObject
    prompt: str
    #: As `NewInteraction` has them.
    schema: JSONObject | None
    choices: tuple[JSON, ...]
    default: JSON
    #: Until when an answer is waited for; `None`: for ever.
    expires_at: datetime | None
    #: What was answered, as it was given; `None` while it is open, and where nobody answered.
    answer: JSON
    #: Who answered, as the caller named itself; may be empty.
    actor: str
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What an answer does to the call that waits for it."""

    #: `DONE` or `FAILED` with `text` as its result; or `PENDING`: it runs, and nobody is asked again.
    status: CallStatus
    text: str | None = None
    #: What it runs with, where that is not what the model asked for.
    arguments: JSONObject | None = None


def resolve(kind: InteractionKind, answer: JSON) -> Resolution:
    """What the answer comes to. That it matches the schema and the choices was checked before.

    Raises:
        InvalidInput: it is not an answer to a question of this kind.
    """
    match kind:
        case InteractionKind.INPUT:
            return Resolution(status=CallStatus.DONE, text=_as_text(answer))
        case InteractionKind.APPROVAL:
            return _resolve_approval(answer)
        case InteractionKind.IN_DOUBT:
            return _resolve_doubt(answer)
    assert_never(kind)


def expire(interaction: Interaction) -> Resolution:
    """What it comes to that nobody answered in time. A default that is no answer is as none."""
    unanswered = Resolution(status=CallStatus.FAILED, text=NO_ANSWER_NOTE)
    if interaction.default is None:
        return unanswered
    try:
        return resolve(interaction.kind, interaction.default)
    except InvalidInput:
        return unanswered


def _as_text(answer: JSON) -> str:
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _resolve_approval(answer: JSON) -> Resolution:
    said = _said(answer, {"action", "arguments", "reason"}, _APPROVAL_HINT)
    try:
        action = ApprovalAction(str(said.get("action")))
    except ValueError:
        raise InvalidInput(
            f"{answer!r:.200} does not say if the call may run.", hint=_APPROVAL_HINT
        ) from None
    arguments, reason = said.get("arguments"), said.get("reason", "")
    if (action is ApprovalAction.EDIT) != isinstance(arguments, dict):
        raise InvalidInput(
            '"arguments", an object, goes with the action "edit" and no other.', hint=_APPROVAL_HINT
        )
    if not isinstance(reason, str):
        raise InvalidInput('"reason" is a text.', hint=_APPROVAL_HINT)
    match action:
        case ApprovalAction.APPROVE:
            return Resolution(status=CallStatus.PENDING)
        case ApprovalAction.EDIT:
            assert isinstance(arguments, dict)
            return Resolution(status=CallStatus.PENDING, arguments=arguments)
        case ApprovalAction.DENY:
            why = f" The reason: {reason}" if reason else ""
            return Resolution(
                status=CallStatus.FAILED, text=f"Not run: a person did not allow this call.{why}"
            )
    assert_never(action)


def _resolve_doubt(answer: JSON) -> Resolution:
    said = _said(answer, {"action", "result"}, _DOUBT_HINT)
    try:
        action = DoubtAction(str(said.get("action")))
    except ValueError:
        raise InvalidInput(
            f"{answer!r:.200} does not say what became of the call.", hint=_DOUBT_HINT
        ) from None
    result = said.get("result")
    if (action is DoubtAction.DONE) != isinstance(result, str):
        raise InvalidInput('"result", a text, goes with the action "done" and no other.', hint=_DOUBT_HINT)
    match action:
        case DoubtAction.DONE:
            return Resolution(status=CallStatus.DONE, text=str(result))
        case DoubtAction.RUN:
            return Resolution(status=CallStatus.PENDING)
        case DoubtAction.GIVE_UP:
            return Resolution(status=CallStatus.FAILED, text=GIVEN_UP_NOTE)
    assert_never(action)


def _said(answer: JSON, known: set[str], hint: str) -> JSONObject:
    if not isinstance(answer, dict):
        raise InvalidInput(f"{answer!r:.200} is not an answer to this question.", hint=hint)
    if unknown := answer.keys() - known:
        raise InvalidInput(f"the answer has the unknown key {min(unknown)!r}.", hint=hint)
    return answer


_APPROVAL_HINT = (
    'Say {"action": "approve"}, {"action": "edit", "arguments": {…}} or {"action": "deny", "reason": "…"}.'
)
_DOUBT_HINT = 'Say {"action": "done", "result": "for the model"}, {"action": "run"} or {"action": "give_up"}.'
