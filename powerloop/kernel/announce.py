"""The announcer: the one place from which the events of a send are emitted."""

from collections.abc import Iterable
from dataclasses import replace

from powerloop.kernel.calls import ToolCall, ToolOutcome
from powerloop.kernel.clock import Clock
from powerloop.kernel.events import (
    Event,
    EventBody,
    InteractionOpened,
    MessageCommitted,
    ReasoningDelta,
    Rewind,
    RoundStarted,
    SendEnded,
    SendHandedOver,
    SendStarted,
    SendWaiting,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from powerloop.kernel.ids import Seq, WorkerId
from powerloop.kernel.interactions import NewInteraction
from powerloop.kernel.messages import Role
from powerloop.kernel.ports.events import EventSink
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import Send


class Announcer:
    """Tells what one attempt of one send does. Takes a model's deltas as they come (the `Deltas` port)."""

    def __init__(self, send: Send, sink: EventSink, clock: Clock) -> None:
        self._send = send
        self._sink = sink
        self._clock = clock
        self._offset = 0

    def started(self, worker: WorkerId) -> None:
        """The claim was won. A later attempt first voids what the dead one streamed."""
        self._emit(SendStarted(worker=worker))
        if self._send.attempt > 1:
            self.rewind()

    def round_started(self, number: int) -> None:
        self._emit(RoundStarted(round=number))

    def text(self, delta: str) -> None:
        self._emit(TextDelta(text=delta))

    def reasoning(self, delta: str) -> None:
        self._emit(ReasoningDelta(text=delta))

    def rewind(self) -> None:
        self._emit(Rewind())

    def tool_started(self, call: ToolCall) -> None:
        self._emit(ToolStarted(call_id=call.id, name=call.name))

    def tool_finished(self, call: ToolCall, outcome: ToolOutcome) -> None:
        self._emit(ToolFinished(call_id=call.id, name=call.name, is_error=outcome.is_error))

    def committed(self, seq: Seq, role: Role) -> None:
        self._emit(MessageCommitted(seq=seq, role=role))

    def merged(self, sends: Iterable[Send]) -> None:
        """Whoever waits for the end of a send that was merged is told of it here: it is never claimed."""
        for send in sends:
            Announcer(replace(send, attempt=1, epoch=self._send.epoch), self._sink, self._clock).end(
                SendEnded(status=send.status)
            )

    def end(self, ended: SendEnded) -> None:
        self._emit(ended)

    def handed_over(self) -> None:
        """Whoever goes on begins the round anew."""
        self.rewind()
        self._emit(SendHandedOver())

    def suspended(self, interactions: Iterable[NewInteraction], *, waiting: bool) -> None:
        """Calls wait; whoever can answer is told what for, and all if the send waits with them."""
        for interaction in interactions:
            self._emit(
                InteractionOpened(
                    interaction_id=interaction.id, kind=interaction.kind, call_id=interaction.call_id
                )
            )
        if waiting:
            self._emit(SendWaiting())

    def ended(self, ending: Ending) -> None:
        error_code = ending.error.code if ending.error else None
        self.end(SendEnded(status=ending.status, stop_reason=ending.stop_reason, error_code=error_code))

    def _emit(self, body: EventBody) -> None:
        self._sink.emit(
            Event(
                session_id=self._send.session_id,
                send_id=self._send.id,
                attempt=self._send.attempt,
                epoch=self._send.epoch,
                offset=self._offset,
                at=self._clock.now(),
                body=body,
            )
        )
        self._offset += 1
