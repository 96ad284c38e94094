"""Scripts play the same conversation in every process."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from powerloop.kernel.calls import Effect
from powerloop.kernel.errors import InvalidInput, ModelRejected, ModelUnavailable, RateLimited
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import (
    Message,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolResultBlock,
    calls_of,
    text_of,
    user_message,
)
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.tools import ToolSpec
from powerloop.kernel.usage import Usage
from powerloop.llm import Failure, Rule, Script, ScriptedCall, Turn
from powerloop.llm.scripted import ScriptedModel
from powerloop.testing.model_providers import WrittenDeltas

TOOL = ToolSpec(name="find", description="", parameters={"type": "object"}, effect=Effect.READ)


async def played(script: Script, *messages: NewMessage, clock, **fields) -> ModelReply:
    """One answer, by a model that has never answered before."""
    request = ModelRequest(
        model="scripted:test", system="", messages=messages, tools=(TOOL,), **{"session_id": "s", **fields}
    )
    return await ScriptedModel({"test": script}, clock).respond(request)


def said(text: str) -> NewMessage:
    return NewMessage(role=Role.ASSISTANT, content=(TextBlock(text=text),))


async def conversation(script: Script, inputs: Sequence[str], clock) -> list[str]:
    """The answers to the inputs, each by a new model: nothing but the messages tells where the script is."""
    messages: list[Message | NewMessage] = []
    answers = []
    for text in inputs:
        messages.append(user_message(text))
        while True:
            reply = await played(script, *messages, clock=clock)
            messages.append(NewMessage(role=Role.ASSISTANT, content=reply.content))
            calls = calls_of(reply.content)
            if not calls:
                break
            results = tuple(
                ToolResultBlock(call_id=call.id, text=f'{{"of": {len(call.arguments)}}}') for call in calls
            )
            messages.append(NewMessage(role=Role.TOOL, content=results))
        answers.append(text_of(reply.content))
    return answers


async def test_turns_are_played_in_order(clock):
    script = Script(turns=(Turn(text="one"), Turn(text="two"), Turn(text="three")))

    assert await conversation(script, ["a", "b", "c"], clock) == ["one", "two", "three"]


async def test_a_turn_with_calls_is_followed_by_the_turn_that_reads_their_results(clock):
    script = Script(
        turns=(
            Turn(calls=(ScriptedCall(name="find", arguments={"what": "$input"}),)),
            Turn(text="found $result, which is $facts"),
        )
    )

    assert await conversation(script, ["it"], clock) == ['found {"of": 1}, which is of: 1']


async def test_a_message_that_was_never_answered_used_up_its_turn(clock):
    script = Script(turns=(Turn(failure=Failure(code="model.rejected")), Turn(text="two")))

    with pytest.raises(ModelRejected):
        await played(script, user_message("a"), clock=clock)
    reply = await played(script, user_message("a"), user_message("b"), clock=clock)

    assert text_of(reply.content) == "two"


async def test_a_script_that_has_ended_says_so(clock):
    script = Script(turns=(Turn(text="one"),))

    with pytest.raises(ModelRejected, match="no turn 2"):
        await played(script, user_message("a"), said("one"), user_message("b"), clock=clock)


async def test_an_unknown_script_is_answered_with_a_suggestion(clock):
    model = ScriptedModel({"support": Script()}, clock)

    with pytest.raises(ModelRejected, match="Did you mean 'support'"):
        await model.respond(ModelRequest(model="scripted:suport", system="", messages=()))


async def test_the_first_rule_that_applies_answers(clock):
    script = Script(
        rules=(
            Rule(pattern=r"name is (?P<name>\w+)", turns=(Turn(text="Hello $name"),)),
            Rule(pattern=r"who", recalls=r"name is (?P<name>\w+)", turns=(Turn(text="You are $name"),)),
            Rule(pattern=r"who", turns=(Turn(text="I do not know"),)),
        ),
        otherwise=Turn(text="?"),
    )

    assert await conversation(script, ["Who?", "My NAME IS Ada", "who am I", "hm"], clock) == [
        "I do not know",
        "Hello Ada",
        "You are Ada",
        "?",
    ]


async def test_what_is_recalled_may_depend_on_what_is_asked(clock):
    rule = Rule(
        pattern=r"what of (?P<thing>\S+)\?",
        recalls=r"$thing is (?P<value>\w+)",
        turns=(Turn(text="$value"),),
    )
    script = Script(rules=(rule,), otherwise=Turn(text="-"))

    answers = await conversation(
        script, ["c++ is hard", "python is easy", "what of c++?", "what of go?"], clock
    )

    assert answers == ["-", "-", "hard", "-"]


async def test_a_rule_counts_its_turns_from_the_message_that_it_answers(clock):
    looking = Turn(calls=(ScriptedCall(name="find"),))
    script = Script(
        rules=(
            Rule(
                pattern="find",
                turns=(looking, looking, Turn(text="found")),
            ),
        )
    )

    assert await conversation(script, ["find", "find"], clock) == ["found", "found"]


async def test_a_rule_without_its_tool_does_not_apply(clock):
    script = Script(
        rules=(Rule(pattern="find", tool="other", turns=(Turn(text="here"),)),), otherwise=Turn(text="no")
    )

    assert await conversation(script, ["find"], clock) == ["no"]


async def test_no_call_is_made_where_none_may_be(clock):
    script = Script(turns=(Turn(text="I would.", calls=(ScriptedCall(name="find"),)),))

    reply = await played(script, user_message("find"), clock=clock, tool_choice="none")

    assert (calls_of(reply.content), reply.finish) == ((), FinishReason.STOP)


async def test_a_session_may_have_turns_of_its_own(clock):
    script = Script(turns=(Turn(text="all"),), sessions={"mine": (Turn(text="mine"),)})

    mine = await played(script, user_message("a"), clock=clock, session_id=SessionId("mine"))
    other = await played(script, user_message("a"), clock=clock, session_id=SessionId("other"))

    assert (text_of(mine.content), text_of(other.content)) == ("mine", "all")


async def test_call_ids_are_the_same_in_every_process_and_differ_everywhere_else(clock):
    call = ScriptedCall(name="find")
    script = Script(turns=(Turn(calls=(call, call)), Turn(calls=(call, call))))
    history = (user_message("a"), said("x"))

    replies = [
        await played(script, user_message("a"), clock=clock),
        await played(script, user_message("a"), clock=clock),
        await played(script, *history, clock=clock),
        await played(script, user_message("a"), clock=clock, send_id=SendId("other")),
    ]
    ids = [[call.id for call in calls_of(reply.content)] for reply in replies]

    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2], *ids[3]}) == 6


async def test_arguments_are_filled_at_any_depth(clock):
    arguments = {"a": ["$input", {"b": "$input!", "c": 1}], "price": "$5"}
    script = Script(turns=(Turn(calls=(ScriptedCall(name="find", arguments=arguments),)),))

    reply = await played(script, user_message("x"), clock=clock)

    assert calls_of(reply.content)[0].arguments == {"a": ["x", {"b": "x!", "c": 1}], "price": "$5"}


async def test_a_turn_keeps_its_time(clock):
    turn = Turn(text="one two three", delay=timedelta(seconds=5), pace=timedelta(seconds=1))
    model = ScriptedModel({"test": Script(otherwise=turn)}, clock)
    request = ModelRequest(model="scripted:test", system="", messages=(user_message("a"),))
    deltas = WrittenDeltas()

    await model.respond(request, deltas)
    streamed = clock.at
    await model.respond(request)

    assert deltas.pieces == ["one ", "two ", "three"]
    assert (streamed, clock.at) == (7, 14)


async def test_a_turn_may_choose_its_pieces(clock):
    model = ScriptedModel({"test": Script(otherwise=Turn(chunks=("wo", "rd")))}, clock)
    deltas = WrittenDeltas()

    reply = await model.respond(
        ModelRequest(model="scripted:test", system="", messages=(user_message("a"),)), deltas
    )

    assert (deltas.pieces, text_of(reply.content)) == (["wo", "rd"], "word")


async def test_a_failure_lasts_for_its_attempts(clock):
    fault = Failure(code="model.rate_limited", attempts=2, retry_after=timedelta(seconds=3))
    script = Script(otherwise=Turn(text="yes", failure=fault))

    for attempt in (1, 2):
        with pytest.raises(RateLimited) as raised:
            await played(script, user_message("a"), clock=clock, attempt=attempt)
        assert raised.value.retry_after == timedelta(seconds=3)
    reply = await played(script, user_message("a"), clock=clock, attempt=3)

    assert text_of(reply.content) == "yes"


async def test_a_failure_may_come_after_text(clock):
    turn = Turn(text="half an answer", failure=Failure(code="model.unavailable"))
    model = ScriptedModel({"test": Script(otherwise=turn)}, clock)
    deltas = WrittenDeltas()

    with pytest.raises(ModelUnavailable):
        await model.respond(
            ModelRequest(model="scripted:test", system="", messages=(user_message("a"),)), deltas
        )

    assert "".join(deltas.pieces) == "half an answer"


async def test_usage_reasoning_and_finish_are_as_the_turn_says(clock):
    usage = Usage(input_tokens=1, output_tokens=2)
    turn = Turn(text="cut", reasoning="Hm.", finish=FinishReason.LENGTH, usage=usage)

    reply = await played(Script(otherwise=turn), user_message("a"), clock=clock)

    assert reply == replace(
        reply,
        content=(ReasoningBlock(text="Hm."), TextBlock(text="cut")),
        finish=FinishReason.LENGTH,
        usage=usage,
    )


def test_a_script_that_cannot_be_played_is_refused_when_it_is_written():
    with pytest.raises(InvalidInput, match="regular expression"):
        Rule(pattern="(", turns=())
    with pytest.raises(InvalidInput, match=r"model\.unavailable"):
        Failure(code="model.unavailble")
