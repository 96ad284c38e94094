from powerloop.kernel.calls import CallStatus, Effect, ToolOutcome
from powerloop.kernel.endings import (
    CANCELLED_NOTE,
    CUT_OFF_NOTE,
    FAILED_NOTE,
    CutOff,
    cancelled,
    failure,
)
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import Role, TextBlock, ToolResultBlock
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.sends import SendError, SendStatus
from powerloop.testing.factories import make_call

BOOM = SendError(code="internal", message="boom")


def told(ending: Ending) -> list[tuple[str, str, bool]]:
    """The results that the ending tells the model, as call, text, and whether it is an error."""
    [message] = ending.messages
    assert message.role is Role.TOOL
    blocks = [block for block in message.content if isinstance(block, ToolResultBlock)]
    return [(block.call_id, block.text, block.is_error) for block in blocks]


def test_a_failure_closes_open_calls_and_keeps_the_results_of_the_others():
    calls = (make_call("a", status=CallStatus.DONE), make_call("b", index=1))
    ending = failure(calls, BOOM, rounds=1)
    assert [outcome.call_id for outcome in ending.outcomes] == ["b"]
    assert told(ending) == [("a", "found", False), ("b", FAILED_NOTE, True)]
    assert (ending.status, ending.error, ending.rounds) == (SendStatus.FAILED, BOOM, 1)


def test_an_ending_whose_results_are_in_the_log_adds_nothing_to_it():
    ending = failure((), BOOM, rounds=3)
    assert (ending.messages, ending.outcomes, ending.rounds) == ((), (), 3)


def test_results_that_nobody_told_yet_are_told_by_the_ending():
    ending = cancelled((make_call("a", status=CallStatus.DONE),), rounds=1)
    assert told(ending) == [("a", "found", False)]
    assert ending.outcomes == ()


def test_a_call_that_may_have_taken_effect_is_not_called_unrun():
    calls = (
        make_call("never ran"),
        make_call("ran here", index=1),
        make_call("ran elsewhere", index=2, effect=Effect.ONCE, status=CallStatus.RUNNING),
        make_call("in doubt", index=3, effect=Effect.ONCE, status=CallStatus.IN_DOUBT),
    )
    cut = CutOff(running=frozenset({CallId("ran here")}))
    expected = [
        ("never ran", CANCELLED_NOTE, True),
        ("ran here", CUT_OFF_NOTE, True),
        ("ran elsewhere", CUT_OFF_NOTE, True),
        ("in doubt", CUT_OFF_NOTE, True),
    ]
    assert told(cancelled(calls, rounds=1, cut=cut)) == expected
    assert [text == CUT_OFF_NOTE for _, text, _ in told(failure(calls, BOOM, rounds=1, cut=cut))] == [
        False,
        True,
        True,
        True,
    ]


def test_a_call_that_had_ended_before_the_cut_keeps_its_result():
    ended = ToolOutcome(call_id=CallId("a"), status=CallStatus.DONE, text="paid")
    ending = cancelled((make_call("a"),), rounds=1, cut=CutOff(ended=(ended,)))
    assert ending.outcomes == (ended,)
    assert told(ending) == [("a", "paid", False)]


def test_what_the_model_had_written_stays_and_is_marked_as_cut_off():
    ending = cancelled((), rounds=0, cut=CutOff(text="I was about to"))
    [message] = ending.messages
    assert (message.role, message.content) == (Role.ASSISTANT, (TextBlock(text="I was about to"),))
    assert message.metadata == {"finish": "cancelled"}
    assert ending.output == message.content


def test_a_model_that_had_written_nothing_leaves_no_message():
    assert cancelled((), rounds=0).messages == ()
