"""What `bench timers` makes of sends: how late they are, and that there is one of each timer. No I/O."""

from datetime import UTC, datetime, timedelta

import pytest

from powerloop.cli.bench_system import percentile_ms
from powerloop.cli.bench_timers import lateness
from powerloop.kernel.accepting import accepted_send
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend

DUE_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUE = {"a": DUE_AT, "b": DUE_AT + timedelta(seconds=1)}


def made(timer_id, after_ms=0, due_at=None):
    """The send of a timer, so long after it was due."""
    due_at = due_at or DUE[timer_id]
    new = NewSend(
        id=SendId(f"send of {timer_id}"),
        session_id=SessionId("s"),
        content=(),
        metadata={"timer_id": timer_id, "timer_due_at": due_at.isoformat(), "timer_tick": 1},
    )
    at = due_at + timedelta(milliseconds=after_ms)
    return accepted_send(new, Policy.ENQUEUE, 1, at, agent="echo", spec=None, is_head=True)


def test_each_send_is_late_by_its_own_timer():
    assert lateness(DUE, [made("a", 30), made("b", 10)]) == [0.01, 0.03]


@pytest.mark.parametrize(
    ("sends", "says"),
    [
        ([made("a")], "of 2 timers, 1 made no send, and there are 0 too many"),
        ([], "of 2 timers, 2 made no send, and there are 0 too many"),
        ([made("a"), made("a", 5), made("b")], "of 2 timers, 0 made no send, and there are 1 too many"),
        ([made("a"), made("a", 5)], "of 2 timers, 1 made no send, and there are 1 too many"),
        ([made("a"), made("b"), made("c", due_at=DUE_AT)], "0 made no send, and there are 1 too many"),
        ([made("a"), made("b", due_at=DUE_AT)], "1 made no send, and there are 1 too many"),
        ([made("a"), made("b", -2)], "a send was made 0.002 seconds before its time"),
    ],
)
def test_what_should_not_be_is_told(sends, says):
    with pytest.raises(RuntimeError, match=says):
        lateness(DUE, sends)


@pytest.mark.parametrize(
    ("share", "value"),
    [(0.0, 0.0), (0.5, 50.0), (0.99, 99.0), (1.0, 99.0)],
)
def test_a_percentile_is_a_value_of_the_sequence_in_milliseconds(share, value):
    assert percentile_ms([number / 1000 for number in range(100)], share) == value


def test_of_one_value_every_percentile_is_that():
    assert [percentile_ms([0.0123456], share) for share in (0.0, 0.5, 0.99)] == [12.35] * 3
