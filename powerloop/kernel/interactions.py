"""Interactions: questions to people that a tool call waits for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId
from powerloop.kernel.jsontypes import JSONObject

GIVEN_UP_NOTE = (
    "The process that ran this call died, and nobody could say whether it took effect. It was not run again."
)


class InteractionKind(StrEnum):
    """What is asked."""

    #: Whether an `Effect.ONCE` call took effect whose process died.
    IN_DOUBT = "in_doubt"


class InteractionStatus(StrEnum):
    """Where a question is in its life."""

    #: It waits for its answer, and its send with it. `Journal.suspend` makes it. It belongs to no process.
    OPEN = "open"
    #: It was answered; the first answer won. Final.
    ANSWERED = "answered"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInteraction:
    """A question to be asked."""

    id: InteractionId
    kind: InteractionKind
    call_id: CallId
    #: In words, for the person.
    prompt: str


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
    #: What was answered, as it was given.
    answer: JSONObject | None
    #: Who answered, as the caller named itself; may be empty.
    actor: str
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What an answer does to the call that waits for it."""

    #: `DONE` or `FAILED` with `text` as its result; or `PENDING`: it runs.
    status: CallStatus
    text: str | None


def resolve(kind: InteractionKind, answer: JSONObject) -> Resolution:
    """What the answer comes to.

    Raises:
        InvalidInput: it is not an answer to a question of this kind.
    """
    match kind:
        case InteractionKind.IN_DOUBT:
            return _resolve_doubt(answer)
    assert_never(kind)


def _resolve_doubt(answer: JSONObject) -> Resolution:
    try:
        action = DoubtAction(str(answer.get("action")))
    except ValueError:
        raise InvalidInput(
            f"{answer!r:.200} does not say what became of the call.", hint=_DOUBT_HINT
        ) from None
    if unknown := answer.keys() - {"action", "result"}:
        raise InvalidInput(f"the answer has the unknown key {min(unknown)!r}.", hint=_DOUBT_HINT)
    result = answer.get("result")
    if (action is DoubtAction.DONE) != isinstance(result, str):
        raise InvalidInput('"result", a text, goes with the action "done" and no other.', hint=_DOUBT_HINT)
    match action:
        case DoubtAction.DONE:
            return Resolution(status=CallStatus.DONE, text=str(result))
        case DoubtAction.RUN:
            return Resolution(status=CallStatus.PENDING, text=None)
        case DoubtAction.GIVE_UP:
            return Resolution(status=CallStatus.FAILED, text=GIVEN_UP_NOTE)
    assert_never(action)


_DOUBT_HINT = 'Say {"action": "done", "result": "for the model"}, {"action": "run"} or {"action": "give_up"}.'
