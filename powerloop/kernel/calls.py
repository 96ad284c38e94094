"""Tool calls: their effects, states and outcomes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.jsontypes import JSONObject


class Effect(StrEnum):
    """What a tool does to the world, and so what may be done when a crash leaves its call unfinished."""

    #: Changes nothing. Run again.
    READ = "read"
    #: Doing it twice equals doing it once. Run again.
    IDEMPOTENT = "idempotent"
    #: The outside world knows it by its idempotency key. Run again with the same key.
    KEYED = "keyed"
    #: Must not happen twice. Never run again by itself: its probe, or a person, says whether it happened.
    ONCE = "once"


class CallStatus(StrEnum):
    """Where a tool call is in its life."""

    #: The model asked for it; the commit of its message wrote the row. If the process dies, it runs later.
    PENDING = "pending"
    #: Its function was started. Only written ahead for `Effect.ONCE`: after a crash such a call is probed.
    RUNNING = "running"
    #: It waits for something outside its process. `suspend` moves it in, whoever resolves the wait moves it
    #: out.
    WAITING = "waiting"
    #: A `ONCE` call that was running when its process died, and that no probe could tell about: a person says
    #: what became of it.
    IN_DOUBT = "in_doubt"
    #: It returned. Final.
    DONE = "done"
    #: It raised, or its arguments were refused; the model was told. Final.
    FAILED = "failed"
    #: Its send was cancelled. Final.
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (CallStatus.DONE, CallStatus.FAILED, CallStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToolCall:
    """A call the model asked for, to be journaled with the model's message."""

    id: CallId
    name: str
    arguments: JSONObject
    effect: Effect
    #: Its place in the model's message, from 0.
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of one tool, as journaled."""

    id: CallId
    send_id: SendId
    #: The round that asked for it, from 1.
    round: int
    #: Its place in the model's message, from 0.
    index: int
    name: str
    arguments: JSONObject
    effect: Effect
    status: CallStatus
    #: What the model sees, once final.
    result: str | None
    #: The whole text, where `result` was cut.
    full_result: str | None
    started_at: datetime | None
    ended_at: datetime | None
    #: Whether a person has said that it may run, as it is.
    approved: bool = False
    #: Until when it sleeps, or slept.
    wakes_at: datetime | None = None

    @property
    def idempotency_key(self) -> str:
        """What a `KEYED` tool passes to the outside world: the same after every crash."""
        return f"{self.send_id}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """How a call ended."""

    call_id: CallId
    #: `DONE`, `FAILED` or `CANCELLED`.
    status: CallStatus
    #: What the model sees.
    text: str
    #: The whole text, where `text` is cut; otherwise `None`.
    full_text: str | None = None

    @property
    def is_error(self) -> bool:
        return self.status is not CallStatus.DONE


class Verdict(StrEnum):
    """What the outside world says of a call whose process died."""

    #: It took effect.
    DONE = "done"
    #: It did not, and may be run.
    NOT_DONE = "not_done"
    #: Nobody can tell.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tool's probe found out about a call whose process died. Made by the three functions below."""

    verdict: Verdict
    #: What the model sees, where the verdict is `DONE`.
    text: str = ""

    @staticmethod
    def done(text: str) -> "Finding":
        """The call took effect; `text` is its result, as the model shall see it."""
        return Finding(Verdict.DONE, text)

    @staticmethod
    def not_done() -> "Finding":
        """The call did not take effect: run it."""
        return Finding(Verdict.NOT_DONE)

    @staticmethod
    def unknown() -> "Finding":
        """It cannot be told: a person is asked."""
        return Finding(Verdict.UNKNOWN)
