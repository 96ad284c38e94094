from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, Effect
from powerloop.kernel.decide import (
    CallModel,
    CloseCalls,
    Finish,
    HandOver,
    ProbeCalls,
    RunCalls,
    Suspend,
    next_step,
    settle,
)
from powerloop.kernel.endings import results_message
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock, calls_of, user_message
from powerloop.kernel.ports.journal import Ending, ModelCommit
from powerloop.kernel.ports.model import FinishReason, ModelReply
from powerloop.kernel.sends import SendStatus, StopReason
from powerloop.kernel.tools import ToolContext, ToolSpec
from powerloop.kernel.usage import Usage
from powerloop.testing.factories import make_agent, make_call, make_turn


class NamedTool:
    def __init__(self, name: str, *, concurrent: bool = True, effect: Effect = Effect.READ) -> None:
        self.spec = ToolSpec(
            name=name, description="", parameters={"type": "object"}, effect=effect, concurrent=concurrent
        )

    async def call(self, context: ToolContext[Any], arguments: Any) -> str:
        raise NotImplementedError


def reply(*blocks: Any, finish: FinishReason = FinishReason.STOP) -> ModelReply:
    return ModelReply(content=blocks, finish=finish, usage=Usage())


def asks(*call_ids: str, name: str = "find") -> NewMessage:
    blocks = tuple(ToolCallBlock(id=CallId(call_id), name=name, arguments={}) for call_id in call_ids)
    return NewMessage(role=Role.ASSISTANT, content=blocks)


def test_a_fresh_send_calls_the_model_with_instructions_history_and_tools():
    agent = make_agent(tools=(NamedTool("find"),))
    step = next_step(make_turn(agent), draining=False)
    assert isinstance(step, CallModel)
    assert step.round == 1
    assert step.request.system == "Help."
    assert [spec.name for spec in step.request.tools] == ["find"]
    assert step.request.messages == (user_message("hello"),)


def test_a_draining_process_hands_over_whatever_comes_next():
    assert next_step(make_turn(), draining=True) == HandOver()
    assert next_step(make_turn(calls=(make_call(),)), draining=True) == HandOver()


@pytest.mark.parametrize(
    ("names", "together"), [("find find pay find", 2), ("pay pay find", 1), ("pay", 1), ("find find", 2)]
)
def test_neighbours_that_may_run_together_do(names, together):
    agent = make_agent(tools=(NamedTool("find"), NamedTool("pay", concurrent=False)))
    calls = tuple(make_call(str(index), name=name, index=index) for index, name in enumerate(names.split()))
    step = next_step(make_turn(agent, calls=calls, rounds=1), draining=False)
    assert step == RunCalls(calls=calls[:together])


def test_calls_that_ended_before_a_crash_are_not_run_again():
    agent = make_agent(tools=(NamedTool("find"),))
    calls = (make_call("a", status=CallStatus.DONE), make_call("b", index=1))
    step = next_step(make_turn(agent, calls=calls, rounds=1), draining=False)
    assert step == RunCalls(calls=calls[1:])


def test_a_call_that_was_running_at_a_crash_is_probed_before_anything_runs():
    calls = (make_call("a", status=CallStatus.RUNNING, effect=Effect.ONCE), make_call("b", index=1))
    step = next_step(make_turn(calls=calls, rounds=1), draining=False)
    assert step == ProbeCalls(calls=calls[:1])


def test_calls_in_doubt_keep_no_other_call_waiting():
    calls = (make_call("a", status=CallStatus.IN_DOUBT, effect=Effect.ONCE), make_call("b", index=1))
    step = next_step(make_turn(calls=calls, rounds=1), draining=False)
    assert step == RunCalls(calls=calls[1:])


def test_once_only_calls_in_doubt_are_left_a_person_is_asked_about_each():
    calls = (
        make_call("a", name="pay", status=CallStatus.IN_DOUBT, effect=Effect.ONCE),
        make_call("b", index=1, status=CallStatus.DONE),
    )
    step = next_step(make_turn(calls=calls, rounds=1), draining=False)
    assert isinstance(step, Suspend)
    [question] = step.suspension.interactions
    assert (question.id, question.call_id) == ("send-1:1.0", "a")
    assert "pay" in question.prompt


def test_results_that_came_while_nobody_ran_the_send_are_told_first():
    calls = (make_call("a", status=CallStatus.DONE),)
    assert next_step(make_turn(calls=calls, rounds=1), draining=False) == CloseCalls(outcomes=())


def test_an_end_that_was_asked_for_comes_before_all_else():
    turn = replace(make_turn(calls=(make_call("a"),), rounds=1), cancel_requested=True)
    step = next_step(turn, draining=True)
    assert isinstance(step, Finish)
    assert step.ending.status is SendStatus.CANCELLED
    assert [(outcome.call_id, outcome.status) for outcome in step.ending.outcomes] == [
        ("a", CallStatus.CANCELLED)
    ]


def test_the_calls_of_the_last_allowed_round_are_closed_and_the_send_stops():
    agent = make_agent(max_rounds=1)
    turn = make_turn(agent, messages=(user_message("hello"), asks("a")), calls=(make_call("a"),), rounds=1)
    step = next_step(turn, draining=False)
    assert isinstance(step, CloseCalls)
    after = make_turn(
        agent, messages=(*turn.messages, results_message((make_call("a", status=CallStatus.DONE),))), rounds=1
    )
    end = next_step(after, draining=False)
    assert isinstance(end, Finish)
    assert (end.ending.status, end.ending.stop_reason) == (SendStatus.COMPLETED, StopReason.ROUND_LIMIT)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (FinishReason.STOP, StopReason.END_TURN),
        (FinishReason.LENGTH, StopReason.OUTPUT_LIMIT),
        (FinishReason.REFUSAL, StopReason.REFUSAL),
    ],
)
def test_an_answer_without_calls_ends_the_send(finish: FinishReason, reason: StopReason):
    ending = settle(make_turn(rounds=2), reply(TextBlock(text="Bye."), finish=finish))
    assert isinstance(ending, Ending)
    assert (ending.status, ending.stop_reason, ending.rounds) == (SendStatus.COMPLETED, reason, 3)
    assert ending.output == (TextBlock(text="Bye."),)
    assert ending.messages == (NewMessage(role=Role.ASSISTANT, content=ending.output),)


def test_an_answer_with_calls_is_a_commit_that_knows_each_tools_effect():
    agent = make_agent(tools=(NamedTool("pay", effect=Effect.ONCE),))
    blocks = tuple(ToolCallBlock(id=CallId(name), name=name, arguments={}) for name in ("pay", "unheard"))
    commit = settle(make_turn(agent), reply(*blocks, finish=FinishReason.TOOL_CALLS))
    assert isinstance(commit, ModelCommit)
    assert [(call.name, call.effect, call.index) for call in commit.calls] == [
        ("pay", Effect.ONCE, 0),
        ("unheard", Effect.READ, 1),
    ]


def test_call_ids_that_the_model_repeats_are_made_unique():
    turn = make_turn(messages=(user_message("hello"), asks("call_1")), rounds=1)
    commit = settle(turn, reply(*asks("call_1", "call_1", "call_2").content))
    assert isinstance(commit, ModelCommit)
    assert [call.id for call in commit.calls] == ["call_1_2", "call_1_3", "call_2"]
    assert [block.id for block in calls_of(commit.message.content)] == ["call_1_2", "call_1_3", "call_2"]
