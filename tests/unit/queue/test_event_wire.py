from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest

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
from powerloop.kernel.ids import CallId, Epoch, InteractionId, SendId, Seq, SessionId, WorkerId
from powerloop.kernel.interactions import InteractionKind
from powerloop.kernel.messages import Role
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.queue.event_wire import event_of, fields_of

SESSION = SessionId("session-1")

BODIES = [
    SendStarted(worker=WorkerId("host:1:abc")),
    Rewind(),
    RoundStarted(round=3),
    TextDelta(text='quotes " \\ newline \n and 漢字 🙂'),
    ReasoningDelta(text="hm"),
    ToolStarted(call_id=CallId("call-1"), name="find"),
    ToolFinished(call_id=CallId("call-1"), name="find", is_error=True),
    ToolFinished(call_id=CallId("call-1"), name="find", is_error=False),
    *(MessageCommitted(seq=Seq(7), role=role) for role in Role),
    SendHandedOver(),
    *(
        InteractionOpened(interaction_id=InteractionId("i-1"), kind=kind, call_id=CallId("call-1"))
        for kind in InteractionKind
    ),
    SendWaiting(),
    *(SendEnded(status=status) for status in SendStatus),
    *(SendEnded(status=SendStatus.COMPLETED, stop_reason=reason) for reason in StopReason),
    SendEnded(status=SendStatus.FAILED, error_code="model.rejected"),
]


def make_event(body: EventBody) -> Event:
    at = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
    return Event(
        session_id=SESSION, send_id=SendId("send-1"), attempt=2, epoch=Epoch(7), offset=5, at=at, body=body
    )


def carried(event: Event) -> Event | None:
    """The event, as a stream would give it back."""
    return event_of(SESSION, "1-2", {name: str(value) for name, value in fields_of(event).items()})


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.type)
def test_every_event_survives_the_stream(body):
    event = make_event(body)
    read = carried(event)
    assert read == event
    assert type(read.body) is type(body)
    assert read.cursor == "1-2"


def test_every_kind_of_event_is_tried_here():
    assert {type(body) for body in BODIES} == set(get_args(EventBody))


def test_an_instant_survives_in_any_time_zone():
    event = replace(
        make_event(Rewind()), at=datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    )
    assert carried(event).at == event.at


def test_halves_of_a_character_do_not_reach_the_reader():
    read = carried(make_event(TextDelta(text="a\ud83d b\x00")))
    assert read.body == TextDelta(text="a\N{REPLACEMENT CHARACTER} b\N{REPLACEMENT CHARACTER}")


def test_halves_that_meet_are_one_character():
    assert carried(make_event(TextDelta(text="\ud83d\ude42"))).body == TextDelta(text="🙂")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "send.teleported"},
        {"data": "{"},
        {"data": "[]"},
        {"data": '{"worker":"w","mood":"good"}'},
        {"data": "{}"},
        {"attempt": "two"},
        {"epoch": ""},
        {"at": "yesterday"},
    ],
    ids=str,
)
def test_what_a_newer_worker_wrote_is_passed_over(change):
    entry = {
        name: str(value) for name, value in fields_of(make_event(SendStarted(worker=WorkerId("w")))).items()
    }
    assert event_of(SESSION, "1-2", entry | change) is None
    del entry["send"]
    assert event_of(SESSION, "1-2", entry) is None
