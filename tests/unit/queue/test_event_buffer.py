from datetime import UTC, datetime

import pytest

from powerloop.kernel.events import (
    Event,
    ReasoningDelta,
    RoundStarted,
    SendEnded,
    SendHandedOver,
    SendStarted,
    SendWaiting,
    TextDelta,
)
from powerloop.kernel.ids import Epoch, SendId, SessionId, WorkerId
from powerloop.kernel.sends import SendStatus
from powerloop.queue import event_buffer
from powerloop.queue.event_buffer import EventBuffer

STARTED = SendStarted(worker=WorkerId("worker-1"))


def make_event(body, *, session="s1", send="a", attempt=1, epoch=1, offset=0):
    return Event(
        session_id=SessionId(session),
        send_id=SendId(send),
        attempt=attempt,
        epoch=Epoch(epoch),
        offset=offset,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        body=body,
    )


def fill(buffer, *bodies, **fields):
    return [buffer.add(make_event(body, offset=offset, **fields)) for offset, body in enumerate(bodies)]


def taken(buffer, session="s1"):
    return [(event.offset, event.body) for event in buffer.take().get(SessionId(session), [])]


def test_text_that_follows_text_is_one_event():
    buffer = EventBuffer()
    fill(
        buffer, STARTED, TextDelta(text="a"), TextDelta(text="b"), RoundStarted(round=2), TextDelta(text="c")
    )
    assert taken(buffer) == [
        (0, STARTED),
        (1, TextDelta(text="ab")),
        (2, RoundStarted(round=2)),
        (3, TextDelta(text="c")),
    ]


def test_text_and_reasoning_stay_apart():
    buffer = EventBuffer()
    fill(buffer, TextDelta(text="a"), ReasoningDelta(text="b"), ReasoningDelta(text="c"), TextDelta(text="d"))
    assert taken(buffer) == [
        (0, TextDelta(text="a")),
        (1, ReasoningDelta(text="bc")),
        (2, TextDelta(text="d")),
    ]


def test_numbers_go_on_after_a_write():
    buffer = EventBuffer()
    fill(buffer, STARTED, TextDelta(text="a"))
    buffer.take()
    fill(buffer, TextDelta(text="b"), TextDelta(text="c"))
    assert taken(buffer) == [(2, TextDelta(text="bc"))]


def test_texts_of_different_claims_do_not_merge():
    buffer = EventBuffer()
    fill(buffer, TextDelta(text="a"), epoch=1)
    fill(buffer, TextDelta(text="b"), epoch=2)
    assert taken(buffer) == [(0, TextDelta(text="a")), (0, TextDelta(text="b"))]


def test_each_claim_is_numbered_from_zero_though_a_hand_over_repeats_the_attempt():
    buffer = EventBuffer()
    fill(buffer, STARTED, SendHandedOver(), epoch=1)
    fill(buffer, STARTED, RoundStarted(round=1), epoch=2)
    assert [offset for offset, _ in taken(buffer)] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "end",
    [SendHandedOver(), SendWaiting(), SendEnded(status=SendStatus.COMPLETED)],
    ids=lambda body: body.type,
)
def test_the_numbering_of_a_claim_that_is_over_is_forgotten(end):
    buffer = EventBuffer()
    fill(buffer, STARTED, end)
    assert not buffer._next_offsets


def test_long_text_is_several_events():
    buffer = EventBuffer()
    fill(buffer, *(TextDelta(text="x" * 1000) for _ in range(20)))
    events = taken(buffer)
    assert [offset for offset, _ in events] == [0, 1, 2]
    assert "".join(body.text for _, body in events) == "x" * 20_000


def test_a_full_buffer_drops_and_leaves_a_gap_in_the_numbers():
    buffer = EventBuffer(limit=2)
    assert fill(buffer, *(RoundStarted(round=number) for number in range(4))) == [True, True, False, False]
    assert [offset for offset, _ in taken(buffer)] == [0, 1]
    assert fill(buffer, RoundStarted(round=5)) == [True]
    assert [offset for offset, _ in taken(buffer)] == [4]


def test_a_full_buffer_still_takes_text_that_merges():
    buffer = EventBuffer(limit=1)
    assert fill(buffer, TextDelta(text="a"), TextDelta(text="b")) == [True, True]
    assert taken(buffer) == [(0, TextDelta(text="ab"))]


def test_the_numbering_of_lost_sends_is_forgotten(monkeypatch):
    monkeypatch.setattr(event_buffer, "_MAX_NUMBERED", 3)
    buffer = EventBuffer()
    for number in range(10):
        fill(buffer, STARTED, send=f"send-{number}")
    assert len(buffer._next_offsets) == 3
