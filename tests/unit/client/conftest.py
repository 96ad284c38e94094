"""Lives of sends: what their workers commit and emit, and what of it a stream still has."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from powerloop.client.following import Known
from powerloop.kernel.events import (
    Event,
    MessageCommitted,
    Rewind,
    RoundStarted,
    SendEnded,
    SendHandedOver,
    SendStarted,
    SendWaiting,
    TextDelta,
)
from powerloop.kernel.ids import Epoch, Seq, WorkerId
from powerloop.kernel.messages import Message, Role, TextBlock
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.queue.cursors import cursor_of
from powerloop.testing.factories import BEGINNING, make_send

#: The session had messages before.
FIRST_SEQ = 11


@dataclass
class Life:
    """One send, from its first claim to its end, as a story of commits and events."""

    send: object = field(default_factory=lambda: replace(make_send(attempt=0), rounds=0))
    messages: tuple = ()
    #: In order: an event, or `None` for a commit.
    story: list = field(default_factory=list)
    #: After each entry of the story: what the store knew.
    known: list = field(default_factory=list)
    offset: int = 0
    #: The claim before, which may not know yet that it is over.
    dead: tuple = ()

    def note(self, event):
        self.story.append(event)
        self.known.append((self.messages, self.send))

    def emit(self, body):
        self.note(
            Event(
                session_id=self.send.session_id,
                send_id=self.send.id,
                attempt=self.send.attempt,
                epoch=self.send.epoch,
                offset=self.offset,
                at=BEGINNING,
                body=body,
            )
        )
        self.offset += 1

    def commit(self, role, text, *, announce=True, **row):
        seq = Seq(FIRST_SEQ + len(self.messages))
        message = Message(
            seq=seq,
            role=role,
            content=(TextBlock(text=text),) if text else (),
            send_id=self.send.id,
            epoch=self.send.epoch,
            created_at=BEGINNING + timedelta(seconds=seq),
        )
        self.messages = (*self.messages, message)
        self.send = replace(self.send, **row)
        self.note(None)
        if announce:
            self.emit(MessageCommitted(seq=seq, role=role))

    def haunt(self, texts):
        """What the claim before, if there was one, still writes."""
        if self.dead:
            living, (self.send, self.offset) = (self.send, self.offset), self.dead
            for text in texts:
                self.emit(TextDelta(text=text))
                # The store knows of the living claim only.
                self.known[-1] = (self.messages, living[0])
            self.dead, (self.send, self.offset) = (self.send, self.offset), living

    def claim(self):
        self.dead = (self.send, self.offset) if self.offset else ()
        self.send = replace(
            self.send,
            status=SendStatus.RUNNING,
            attempt=self.send.attempt + 1,
            # Other sends' claims are between two of this one.
            epoch=Epoch(self.send.epoch + 2),
        )
        self.offset = 0
        if not self.messages:
            self.commit(Role.USER, "hello", announce=False)
        self.emit(SendStarted(worker=WorkerId("worker-1")))
        if self.send.attempt > 1:
            self.emit(Rewind())
        if self.messages[-1].role is Role.USER:
            self.emit(MessageCommitted(seq=self.messages[-1].seq, role=Role.USER))
        if self.messages[-1].role is Role.ASSISTANT:
            self.commit(Role.TOOL, "")

    def write(self, texts, voided=()):
        """A round up to its answer, which is returned; `voided` was written by a call that failed."""
        self.emit(RoundStarted(round=self.send.rounds + 1))
        for text in voided:
            self.emit(TextDelta(text=text))
        if voided:
            self.emit(Rewind())
        for text in texts:
            self.emit(TextDelta(text=text))
        return "".join(texts)

    def round(self, texts, voided=()):
        """A round that ends with the results of its calls."""
        self.commit(Role.ASSISTANT, self.write(texts, voided), rounds=self.send.rounds + 1)
        self.commit(Role.TOOL, "")

    def hand_over(self):
        self.send = replace(self.send, status=SendStatus.QUEUED, attempt=self.send.attempt - 1)
        self.note(None)
        self.emit(Rewind())
        self.emit(SendHandedOver())

    def wait(self):
        self.send = replace(self.send, status=SendStatus.WAITING)
        self.note(None)
        self.emit(SendWaiting())

    def finish(self, texts):
        text = self.write(texts)
        self.commit(
            Role.ASSISTANT,
            text,
            rounds=self.send.rounds + 1,
            status=SendStatus.COMPLETED,
            stop_reason=StopReason.END_TURN,
            output=(TextBlock(text=text),),
            ended_at=BEGINNING + timedelta(minutes=1),
        )
        self.emit(SendEnded(status=SendStatus.COMPLETED, stop_reason=StopReason.END_TURN))

    def stream(self):
        """The events of the story, each with its cursor: its place in the story."""
        return [
            replace(event, cursor=cursor_of((1, index)))
            for index, event in enumerate(self.story)
            if event is not None
        ]

    def known_at(self, index, after):
        """What the store knows once the story has come to the entry, of the messages after `after`."""
        messages, send = self.known[index]
        return Known(messages=[message for message in messages if message.seq > after > 0], send=send)

    def text_of(self, seq):
        return self.messages[seq - FIRST_SEQ].text


@pytest.fixture(scope="session")
def new_life():
    """Makes lives of sends."""
    return Life
