"""Following one send through its stream: what a reader is shown of each event, as a function without I/O.

A stream may have lost anything: it is trimmed, it expires, Redis goes away, a worker dies before it has
written. What was lost is known by the numbers: per claim, offsets rise by one. From there on text is not to
be trusted, until an event says where the send stands: a landmark. The log then tells what was missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final

from powerloop.kernel.events import (
    Event,
    EventBody,
    MessageCommitted,
    ReasoningDelta,
    Rewind,
    RoundStarted,
    SendEnded,
    SendHandedOver,
    SendStarted,
    SendWaiting,
    TextDelta,
)
from powerloop.kernel.ids import Epoch, Seq
from powerloop.kernel.messages import Message, Role
from powerloop.kernel.sends import Send
from powerloop.queue.cursors import Bookmark, bookmark_of, position_of

_LANDMARKS: Final = (SendStarted, RoundStarted, MessageCommitted, SendHandedOver, SendWaiting, SendEnded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store knows of the send by now."""

    #: The send's messages after the one that was asked for, in order; read before `send` was.
    messages: Sequence[Message] = ()
    send: Send


class _Fit(Enum):
    """How an event goes with what was seen before."""

    #: It is the next one.
    NEXT = auto()
    #: It begins a claim, and how the one before it ended was not told.
    CUT = auto()
    #: Something between is missing, or may be.
    GAP = auto()
    #: A claim that is over wrote it, or it was seen before.
    STALE = auto()


class Follower:
    """Shows a reader the events of one send.

    Between two of ``message`` and ``send.rewind``, the deltas that it shows add up to the text of the
    message; no event of a lower epoch is shown after one of a higher.

    Args:
        send: The send, as it was at any time.
        cursor: Where the reader stands.

    Raises:
        InvalidInput: it is no cursor.
    """

    def __init__(self, send: Send, cursor: str) -> None:
        self._send = send
        self._at: Bookmark = bookmark_of(cursor)
        #: Whether text may have been shown that no message or rewind has settled.
        self._open = True
        #: Whether the latest claim was seen to end.
        self._closed = not self._at.epoch
        self._told = 0

    @property
    def seq(self) -> Seq:
        """The latest message that the reader knows of; 0: none."""
        return self._at.seq

    def asks(self, event: Event) -> Seq | None:
        """What `take` must know to show the event: the messages after this one; 0: none of them, but the row.

        `None`: nothing.
        """
        if self._fit(event) in (_Fit.NEXT, _Fit.STALE) or not isinstance(event.body, _LANDMARKS):
            return None
        if isinstance(event.body, MessageCommitted) and not self.seq:
            # Who joins where earlier messages are trimmed already is told of this one only.
            return Seq(event.body.seq - 1)
        return self.seq

    def take(self, event: Event, known: Known | None = None) -> list[Event]:
        """What is shown for the next event of the stream.

        Args:
            event: The event.
            known: What the store knew, asked after the event was read, where `asks` wants it.
        """
        fit = self._fit(event)
        if fit is _Fit.STALE:
            return []
        shown = [] if fit is _Fit.NEXT else self._void(fit, event.at)
        missed = _missed(event, known, self.seq) if known else None
        sound = fit is _Fit.NEXT or missed is not None
        for message in missed or ():
            shown += self._tell_message(message, whole=event.body != _committed(message))
        if known and isinstance(event.body, SendEnded) and not self.seq:
            shown += self._tell_output(known.send)
        self._advance(event, sound=sound)
        if sound or not isinstance(event.body, TextDelta | ReasoningDelta):
            shown.append(self._show(event))
        return shown

    def end(self, known: Known) -> list[Event]:
        """What is shown where the stream is silent and the row says that the send has ended."""
        send = known.send
        at = send.ended_at or send.created_at
        shown = [self._tell(Rewind(), at)] if self._open else []
        if not self.seq:
            shown += self._tell_output(send)
        for message in known.messages:
            shown += self._tell_message(message, whole=True)
        error_code = send.error.code if send.error else None
        body = SendEnded(status=send.status, stop_reason=send.stop_reason, error_code=error_code)
        return [*shown, self._tell(body, at)]

    def _fit(self, event: Event) -> _Fit:
        at = self._at
        if event.epoch < at.epoch:
            return _Fit.STALE
        if event.epoch > at.epoch:
            begins = _Fit.NEXT if self._closed else _Fit.CUT
            return _Fit.GAP if event.offset else begins
        if at.offset is None or event.offset > at.offset + 1:
            return _Fit.GAP
        return _Fit.NEXT if event.offset == at.offset + 1 else _Fit.STALE

    def _void(self, fit: _Fit, at: datetime) -> list[Event]:
        """Take back what is open, and say so; where events are missing, say so in any case, once."""
        found = fit is _Fit.GAP and self._at.offset is not None
        if not (found or self._open):
            return []
        self._open = False
        return [self._tell(Rewind(), at)]

    def _advance(self, event: Event, *, sound: bool) -> None:
        seq = event.body.seq if isinstance(event.body, MessageCommitted) else Seq(0)
        self._at = Bookmark(
            position=position_of(event.cursor),
            epoch=event.epoch,
            offset=event.offset if sound else None,
            seq=max(self.seq, seq),
        )
        self._closed = isinstance(event.body, SendHandedOver | SendWaiting)

    def _show(self, event: Event) -> Event:
        match event.body:
            case TextDelta() | ReasoningDelta():
                self._open = True
            case MessageCommitted() | Rewind():
                self._open = False
        return replace(event, cursor=self._at.cursor)

    def _tell_message(self, message: Message, *, whole: bool) -> list[Event]:
        """A message of the log: its text, and, if it is to be told as a whole, that it was committed."""
        shown = []
        if message.role is Role.ASSISTANT and message.text:
            shown.append(self._tell(TextDelta(text=message.text), message.created_at))
        if whole:
            self._at = replace(self._at, seq=message.seq)
            shown.append(self._tell(_committed(message), message.created_at))
        return shown

    def _tell_output(self, send: Send) -> list[Event]:
        """What the send came to, for who knows of none of its messages."""
        return [self._tell(TextDelta(text=send.text), send.ended_at or send.created_at)] if send.text else []

    def _tell(self, body: EventBody, at: datetime) -> Event:
        offset, self._told = self._told, self._told + 1
        return Event(
            session_id=self._send.session_id,
            send_id=self._send.id,
            attempt=0,
            epoch=Epoch(0),
            offset=offset,
            at=at,
            body=body,
            cursor=self._at.cursor,
        )


def _committed(message: Message) -> MessageCommitted:
    return MessageCommitted(seq=message.seq, role=message.role)


def _missed(event: Event, known: Known, seq: Seq) -> Sequence[Message] | None:
    """The messages that were committed before the event, of those that the reader does not know of.

    The store may be ahead of the stream, which will tell of later ones. `None`: the event does not say.
    """
    match event.body:
        case MessageCommitted(seq=latest):
            return [message for message in known.messages if message.seq <= latest]
        case SendStarted():
            return [message for message in known.messages if message.epoch < event.epoch]
        case SendHandedOver() | SendWaiting() | SendEnded():
            return [message for message in known.messages if message.epoch <= event.epoch]
        case RoundStarted(round=number):
            # The row was read last: unless it has this round's answer, the messages do not have it either.
            answered = known.send.rounds >= number or known.send.status.is_final
            return known.messages if not (seq and answered) else None
        case _:
            return None
