import pytest

from powerloop.kernel.errors import InvalidInput
from powerloop.workers.enqueue import parse_request


def test_a_session_and_an_input_are_enough():
    request = parse_request({"session_id": "s1", "input": "hello"})
    assert (request.session_id, request.input) == ("s1", "hello")
    assert (request.policy, request.priority) == (None, 0)


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, "session_id: Field required; input: Field required"),
        ({"session_id": "", "input": "x"}, "session_id: String should have at least 1 character"),
        ({"session_id": "s", "input": 5}, "input"),
        ({"session_id": "s", "input": "x", "sesion": 1}, "sesion: Extra inputs are not permitted"),
        ({"session_id": "s", "input": "x", "priority": 10}, "priority: Input should be less than or equal"),
        ({"session_id": "s", "input": "x", "priority": "3"}, "priority: Input should be a valid integer"),
        ({"session_id": "s", "input": "x", "metadata": []}, "metadata: Input should be a valid dictionary"),
    ],
)
def test_a_malformed_request_is_answered_with_every_problem(kwargs, expected):
    with pytest.raises(InvalidInput, match="cannot be carried out") as raised:
        parse_request(kwargs)
    assert expected in str(raised.value)
    assert "session_id, input, agent" in str(raised.value)
