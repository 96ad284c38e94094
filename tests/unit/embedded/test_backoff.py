"""The pauses between restarts."""

from itertools import islice

from powerloop.embedded.processes import _pauses


def test_the_pauses_double_up_to_half_a_minute():
    assert list(islice(_pauses(), 8)) == [0.5, 1, 2, 4, 8, 16, 30, 30]
