import pytest

from powerloop.kernel.calls import CallStatus
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.interactions import InteractionKind, resolve


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"action": "done", "result": "paid"}, CallStatus.DONE, "paid"),
        ({"action": "done", "result": ""}, CallStatus.DONE, ""),
        ({"action": "run"}, CallStatus.PENDING, None),
    ],
)
def test_an_answer_says_what_becomes_of_the_call(answer, status, text):
    resolution = resolve(InteractionKind.IN_DOUBT, answer)
    assert (resolution.status, resolution.text) == (status, text)


def test_giving_up_tells_the_model_that_nobody_knows():
    resolution = resolve(InteractionKind.IN_DOUBT, {"action": "give_up"})
    assert resolution.status is CallStatus.FAILED
    assert "nobody could say" in (resolution.text or "")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"action": "maybe"},
        {"action": None},
        {"action": "done"},
        {"action": "done", "result": 42},
        {"action": "run", "result": "paid"},
        {"action": "run", "because": "x"},
    ],
)
def test_an_answer_to_another_question_is_refused_with_a_way_out(answer):
    with pytest.raises(InvalidInput, match="give_up"):
        resolve(InteractionKind.IN_DOUBT, answer)
