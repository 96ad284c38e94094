"""Each stage: what a hook is told there, what its veto comes to, and what it can change."""

from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.errors import HookVeto
from powerloop.kernel.hooks import (
    Answer,
    ChangeArguments,
    ChangeInput,
    ChangeInstructions,
    ChangeMessage,
    ChangeMessages,
    ChangeReply,
    ChangeRequest,
    ChangeText,
    Hook,
    Hooks,
    Veto,
)
from powerloop.kernel.ids import CallId
from powerloop.kernel.interactions import InteractionKind, Resolution
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock, user_message
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.sends import SendError, StopReason
from powerloop.kernel.usage import Usage
from powerloop.kernel.waits import Question, Spawn
from powerloop.testing.factories import make_call, make_send

SEND = replace(make_send(attempt=2), metadata={"customer": "42"})
CALL = replace(make_call("call-7", name="refund", round=3), arguments={"amount": 500})
FOUND = ToolOutcome(call_id=CALL.id, status=CallStatus.DONE, text="card 4111", full_text="card 4111, twice")
ANSWER = (TextBlock(text="It is on its way."),)
REPLY = ModelReply(content=ANSWER, finish=FinishReason.STOP, usage=Usage(input_tokens=9))
REQUEST = ModelRequest(model="scripted:echo", system="Help.", messages=(user_message("hello"),))
ENDING = Ending.completed(
    StopReason.END_TURN,
    rounds=1,
    output=ANSWER,
    messages=(NewMessage(role=Role.ASSISTANT, content=ANSWER),),
)
COST: Any = ("one attempt",)
COSTLY = replace(ENDING, entries=COST)
SPAWN = Spawn(agent="researcher", content=(TextBlock(text="Find it."),))
QUESTION = Question(prompt="Which one?", choices=("red", "blue"))
DEPS = object()


class Says(Hook):
    """Says the same wherever it is asked, and remembers what it was told."""

    def __init__(self, decision: Any = None) -> None:
        self.decision = decision
        self.told: list[Any] = []

    async def session_start(self, context: Any) -> Any:
        self.told.append(context)
        return self.decision

    session_end = round_start = round_end = before_model = after_model = session_start
    before_tool = after_tool = before_commit = spawn = interaction = session_start


def hooks(hook: Hook) -> Hooks:
    return Hooks([hook], SEND, DEPS)


#: Every stage of a send that may be asked, with the stage that its context is of.
STAGES: dict[str, Any] = {
    "session_start": lambda hooks: hooks.session_start("Help."),
    "session_end": lambda hooks: hooks.session_end(ENDING),
    "round_start": lambda hooks: hooks.round_start(3, REQUEST.messages),
    "round_end": lambda hooks: hooks.round_end(3, ANSWER),
    "before_model": lambda hooks: hooks.before_model(3, REQUEST),
    "after_model": lambda hooks: hooks.after_model(3, REQUEST, REPLY),
    "before_tool": lambda hooks: hooks.before_tools([CALL]),
    "after_tool": lambda hooks: hooks.after_tool(CALL, FOUND),
    "before_commit": lambda hooks: hooks.before_commit(3, ENDING),
    "spawn": lambda hooks: hooks.spawn(CALL, SPAWN),
    "interaction": lambda hooks: hooks.interaction(CALL, QUESTION),
}


@pytest.mark.parametrize("stage", STAGES)
async def test_a_hook_is_told_whose_send_it_is_asked_about(stage):
    hook = Says()
    await STAGES[stage](hooks(hook))
    [context] = hook.told
    assert (context.session_id, context.send_id) == ("session-1", "send-1")
    assert (context.agent, context.attempt) == ("support", 2)
    assert (context.metadata, context.deps) == ({"customer": "42"}, DEPS)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if not stage.startswith("session")])
async def test_a_hook_is_told_the_round(stage):
    hook = Says()
    await STAGES[stage](hooks(hook))
    assert hook.told[0].round == 3


@pytest.mark.parametrize("stage", ["before_tool", "after_tool", "spawn", "interaction"])
async def test_a_hook_is_told_the_call(stage):
    hook = Says()
    await STAGES[stage](hooks(hook))
    assert (hook.told[0].call_id, hook.told[0].call) == ("call-7", CALL)


@pytest.mark.parametrize(
    "stage", ["session_start", "round_start", "round_end", "before_model", "after_model", "before_commit"]
)
async def test_a_veto_fails_the_send_with_its_reason(stage):
    with pytest.raises(HookVeto, match=f"hook 'Says' at {stage}: office hours are over") as caught:
        await STAGES[stage](hooks(Says(Veto("office hours are over"))))
    assert caught.value.code == "hook.veto"


@pytest.mark.parametrize(
    ("stage", "about"),
    [("after_model", (REQUEST, replace(REPLY, attempts=COST))), ("before_commit", (COSTLY,))],
)
async def test_a_veto_that_makes_an_answer_void_bears_what_the_answer_cost(stage, about):
    with pytest.raises(HookVeto) as caught:
        await getattr(hooks(Says(Veto("no"))), stage)(1, *about)
    assert caught.value.attempts == COST


async def test_a_session_begins_with_the_first_claim_of_its_first_send():
    hook = Says()
    for position, attempt in [(1, 1), (1, 2), (2, 1)]:
        await Hooks([hook], replace(SEND, position=position, attempt=attempt)).session_start("Help.")
    assert [context.is_first for context in hook.told] == [True, False, False]


async def test_session_start_may_change_the_instructions():
    hook = Says(ChangeInstructions("Help in French."))
    assert await hooks(hook).session_start("Help.") == "Help in French."
    assert hook.told[0].instructions == "Help."


async def test_session_end_is_told_how_the_send_ended_and_can_decide_nothing():
    hook = Says(Veto("too late"))
    await hooks(hook).session_end(ENDING)
    assert hook.told[0].ending is ENDING


async def test_round_start_may_change_what_the_model_sees():
    hook = Says(ChangeMessages([user_message("the gist of it")]))
    assert await hooks(hook).round_start(1, REQUEST.messages) == (user_message("the gist of it"),)


async def test_round_end_is_told_what_was_said_and_how_the_calls_ended():
    hook = Says()
    call = make_call(status=CallStatus.DONE)
    await hooks(hook).round_end(1, ANSWER, [call])
    assert (hook.told[0].content, hook.told[0].calls) == (ANSWER, (call,))


async def test_before_model_may_change_system_messages_tools_and_settings():
    change = ChangeRequest(
        system="Be brief.", messages=[user_message("hi")], tools=[], settings=ModelSettings(temperature=0)
    )
    changed = await hooks(Says(change)).before_model(1, REQUEST)
    assert (changed.system, changed.messages, changed.tools) == ("Be brief.", (user_message("hi"),), ())
    assert changed.settings == ModelSettings(temperature=0)


async def test_before_model_leaves_what_it_does_not_name():
    changed = await hooks(Says(ChangeRequest(system=""))).before_model(1, REQUEST)
    assert changed == replace(REQUEST, system="")


async def test_after_model_may_replace_the_reply_but_not_what_it_cost():
    hook = Says(ChangeReply((TextBlock(text="I cannot say."),), FinishReason.REFUSAL))
    changed = await hooks(hook).after_model(1, REQUEST, REPLY)
    assert changed == replace(REPLY, content=(TextBlock(text="I cannot say."),), finish=FinishReason.REFUSAL)
    assert (hook.told[0].request, hook.told[0].reply) == (REQUEST, REPLY)


async def test_before_tool_may_change_the_arguments():
    allowed, refused = await hooks(Says(ChangeArguments({"amount": 50}))).before_tools([CALL])
    assert allowed == (replace(CALL, arguments={"amount": 50}),)
    assert refused == ()


async def test_a_vetoed_call_fails_with_the_reason_and_the_others_run():
    class NoRefunds(Hook):
        async def before_tool(self, context):
            return Veto("refunds need a receipt.") if context.call.name == "refund" else None

    other = make_call("call-8", name="find", index=1)
    allowed, refused = await hooks(NoRefunds()).before_tools([CALL, other])
    assert allowed == (other,)
    assert refused == (
        ToolOutcome(call_id=CALL.id, status=CallStatus.FAILED, text="Not run: refunds need a receipt."),
    )


async def test_after_tool_may_change_the_text_and_nothing_is_left_of_the_old_one():
    hook = Says(ChangeText("card ****"))
    changed = await hooks(hook).after_tool(CALL, FOUND)
    assert changed == replace(FOUND, text="card ****", full_text=None)
    assert hook.told[0].outcome == FOUND


async def test_a_veto_after_a_tool_withholds_its_result():
    withheld = await hooks(Says(Veto("it names a customer."))).after_tool(CALL, FOUND)
    assert (withheld.status, withheld.full_text) == (CallStatus.FAILED, None)
    assert withheld.text == "It was run, but its result is withheld: it names a customer."


async def test_before_commit_may_change_the_text_of_a_model_message_and_add_metadata():
    call = ToolCallBlock(id=CallId("a"), name="find", arguments={})
    message = NewMessage(role=Role.ASSISTANT, content=(*ANSWER, call))
    commit = ModelCommit(round=1, message=message, calls=(), entries=())
    clean = replace(message, content=(TextBlock(text="…"), call), metadata={"checked": True})
    hook = Says(ChangeMessage(clean))
    assert await hooks(hook).before_commit(1, commit) == replace(commit, message=clean)
    assert (hook.told[0].commit, hook.told[0].message) == (commit, message)


async def test_before_commit_may_change_the_last_answer_and_with_it_the_output():
    clean = NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="…"),))
    changed = await hooks(Says(ChangeMessage(clean))).before_commit(1, ENDING)
    assert (changed.messages, changed.output) == ((clean,), clean.content)


async def test_before_commit_sees_results_whose_message_comes_later():
    hook = Says()
    commit = ResultsCommit(outcomes=(FOUND,), message=None)
    assert await hooks(hook).before_commit(1, commit) == commit
    assert hook.told[0].message is None


async def test_no_hook_keeps_a_failed_send_from_ending():
    hook = Says(Veto("no"))
    ending = Ending.failed(SendError(code="internal", message=""), rounds=1)
    assert await hooks(hook).before_commit(1, ending) is ending
    assert hook.told == []


async def test_spawn_may_change_the_input():
    changed = await hooks(Says(ChangeInput("Find it in the archive."))).spawn(CALL, SPAWN)
    assert changed == replace(SPAWN, content=(TextBlock(text="Find it in the archive."),))


async def test_a_vetoed_spawn_fails_the_call():
    hook = Says(Veto("no research today."))
    assert await hooks(hook).spawn(CALL, SPAWN) == ToolOutcome(
        call_id=CALL.id, status=CallStatus.FAILED, text="Not started: no research today."
    )
    assert hook.told[0].spawn == SPAWN


async def test_a_hook_that_only_looks_at_a_question_leaves_it_to_a_person():
    hook = Says()
    assert await hooks(hook).interaction(CALL, QUESTION) is None
    assert hook.told[0].question == QUESTION


async def test_an_interaction_may_be_answered_at_once():
    answer = await hooks(Says(Answer("blue"))).interaction(CALL, QUESTION)
    assert answer == Resolution(status=CallStatus.DONE, text="blue")


async def test_an_approval_may_be_given_at_once_with_other_arguments():
    question = Question(prompt="May it run?", kind=InteractionKind.APPROVAL)
    said = {"action": "edit", "arguments": {"amount": 1}}
    answer = await hooks(Says(Answer(said))).interaction(CALL, question)
    assert answer == Resolution(status=CallStatus.PENDING, arguments={"amount": 1})


async def test_a_vetoed_question_fails_the_call_and_nobody_is_asked():
    answer = await hooks(Says(Veto("ask me on Monday."))).interaction(CALL, QUESTION)
    assert answer == Resolution(status=CallStatus.FAILED, text="Nobody was asked: ask me on Monday.")
