"""Events: what a send tells the world while it runs. A closed set; emitted by `announce.Announcer` only.

=================== ==================================== =================================================
type                fields                               when
=================== ==================================== =================================================
``send.started``    ``worker``                           a claim was won
``send.rewind``                                          text of an attempt (or a failed model call) is void:
                                                         drop all deltas since the last ``message``
``round.started``   ``round``                            a model is about to be called
``text.delta``      ``text``                             the model wrote
``reasoning.delta`` ``text``                             the model reasoned
``tool.started``    ``call_id``, ``name``                a tool call begins
``tool.finished``   ``call_id``, ``name``, ``is_error``  a tool call ended; its result is not committed yet
``message``         ``seq``, ``role``                    a message was committed to the session's log
``send.handed_over``                                     the process shuts down; another will go on
``interaction``     ``interaction_id``, ``kind``,        a person is asked
                    ``call_id``
``send.waiting``                                         the send waits for what was asked; no process has it
``send.ended``      ``status``, ``stop_reason``,         the send is final, and so is every row it wrote
                    ``error_code``
=================== ==================================== =================================================
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, TypeAlias

from powerloop.kernel.ids import CallId, Epoch, InteractionId, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import Role
from powerloop.kernel.sends import SendStatus, StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStarted:
    type: ClassVar[str] = "send.started"
    worker: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    type: ClassVar[str] = "send.rewind"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStarted:
    type: ClassVar[str] = "round.started"
    #: From 1.
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    type: ClassVar[str] = "text.delta"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    type: ClassVar[str] = "reasoning.delta"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    type: ClassVar[str] = "tool.started"
    call_id: CallId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    type: ClassVar[str] = "tool.finished"
    call_id: CallId
    name: str
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCommitted:
    type: ClassVar[str] = "message"
    seq: Seq
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class SendHandedOver:
    type: ClassVar[str] = "send.handed_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionOpened:
    type: ClassVar[str] = "interaction"
    interaction_id: InteractionId
    kind: InteractionKind
    call_id: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendWaiting:
    type: ClassVar[str] = "send.waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEnded:
    type: ClassVar[str] = "send.ended"
    status: SendStatus
    stop_reason: StopReason | None = None
    error_code: str | None = None


EventBody: TypeAlias = (
    SendStarted
    | Rewind
    | RoundStarted
    | TextDelta
    | ReasoningDelta
    | ToolStarted
    | ToolFinished
    | MessageCommitted
    | SendHandedOver
    | InteractionOpened
    | SendWaiting
    | SendEnded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of one claim of one send.

    Between two of ``message`` and ``send.rewind``, the text deltas of a send add up to the text of the
    message.
    """

    session_id: SessionId
    send_id: SendId
    #: The attempt that it belongs to, from 1. 0: told by the store, where the stream was trimmed.
    attempt: int
    #: The epoch of the claim that it belongs to: what a dead claim still says has a lower one, and no reader
    #: sees it. 0: told by the store.
    epoch: Epoch
    #: Its place among the events of its claim, from 0, without gaps.
    offset: int
    at: datetime
    body: EventBody
    #: Where a reader goes on after this event; opaque. Empty until a stream has carried it.
    cursor: str = field(default="", compare=False)

    @property
    def type(self) -> str:
        return self.body.type
