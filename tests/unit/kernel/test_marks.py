from dataclasses import replace
from datetime import timedelta

from powerloop.kernel.marks import Marks
from powerloop.kernel.queues import SEND_QUEUE, Lane
from powerloop.testing.factories import BEGINNING, make_send


def test_the_latest_dispatch_of_each_priority_is_kept():
    marks = Marks()
    for priority, seconds in [(0, 3), (0, 1), (5, 2), (0, 2)]:
        at = BEGINNING + timedelta(seconds=seconds)
        marks.note(replace(make_send(), priority=priority, dispatched_at=at))
    assert marks.take() == {
        Lane(SEND_QUEUE, 0): BEGINNING + timedelta(seconds=3),
        Lane(SEND_QUEUE, 5): BEGINNING + timedelta(seconds=2),
    }


def test_what_was_taken_is_not_told_again():
    marks = Marks()
    marks.note(replace(make_send(), dispatched_at=BEGINNING))
    marks.take()
    assert marks.take() == {}


def test_a_send_that_was_never_dispatched_says_nothing_of_the_queue():
    marks = Marks()
    marks.note(replace(make_send(), dispatched_at=None))
    assert marks.take() == {}
