"""The scripts that come with powerloop."""

import pytest

from powerloop.kernel.calls import Effect
from powerloop.kernel.messages import (
    NewMessage,
    Role,
    TextBlock,
    ToolResultBlock,
    calls_of,
    text_of,
    user_message,
)
from powerloop.kernel.ports.model import ModelRequest
from powerloop.kernel.tools import ToolSpec
from powerloop.llm.demo import BUILT_IN
from powerloop.llm.scripted import ScriptedModel
from powerloop.testing.model_providers import WrittenDeltas

LOOKUP = ToolSpec(name="lookup_order", description="", parameters={"type": "object"}, effect=Effect.READ)
WAKEUP = ToolSpec(
    name="schedule_wakeup", description="", parameters={"type": "object"}, effect=Effect.IDEMPOTENT
)


@pytest.fixture
def ask(clock):
    """Asks ``scripted:demo`` after a history, and gives back its reply."""

    async def ask(*texts: str, tools=(), name="demo", more=(), deltas=None):
        messages = []
        for text in texts:
            messages += [
                user_message(text),
                NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="…"),)),
            ]
        messages = [*messages[:-1], *more]
        request = ModelRequest(model=f"scripted:{name}", system="", messages=messages, tools=tools)
        return await ScriptedModel(BUILT_IN, clock).respond(request, deltas)

    return ask


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (["My name is Ada."], "Nice to meet you, Ada!"),
        (["Hi! My name is Zoë"], "Zoë"),
        (["My name is Ada.", "What is my name?"], "Your name is Ada"),
        (["my name is ada", "Where is A-1?", "No, my name is Bob", "what's my name"], "Your name is Bob"),
        (["What is my name?"], "not told me"),
        (["My favourite colour is dark green.", "What's my favorite colour?"], "is dark green"),
        (["What is my favourite food?"], "not told me"),
        (["Hello!"], "Hello!"),
        (["My name is Ada", "hello"], "Hello again, Ada"),
        (["I lost a key", "What did I say?"], "I lost a key"),
        (["help"], "Ask about an order"),
        (["I want my order"], "Which order"),
        (["Where is order A-17?"], "no tool"),
        (["Plan research on tea.\n\nAnswer with JSON."], '"the origin of tea"'),
        (['Plan research on "tea".'], '"the origin of it"'),
        (["Research the story of tea."], "On the story of tea: two sources agree"),
        (['Write a report on tea from: ["On a.", null]'], 'A report on tea. "On a.", null'),
        (["Remind me to call the vet in 10 seconds."], "no tool"),
        (["[wake-up 5ed5-1, due 2026-03-01T09:00:00+01:00] Hello! Look at A-17."], "“Hello! Look at A-17.”"),
        (["qwertz"], "qwertz"),
    ],
)
async def test_the_demo_converses(ask, texts, answer):
    assert answer in text_of((await ask(*texts)).content)


async def test_the_demo_looks_an_order_up_and_tells_what_it_found(ask):
    first = await ask("Where is my order a-17?", tools=(LOOKUP,))
    (call,) = calls_of(first.content)
    assert (call.name, call.arguments) == ("lookup_order", {"order_id": "a-17"})

    result = ToolResultBlock(call_id=call.id, text='{"status": "shipped", "arrives_on": "Monday"}')
    more = (
        NewMessage(role=Role.ASSISTANT, content=first.content),
        NewMessage(role=Role.TOOL, content=(result,)),
    )
    second = await ask("Where is my order a-17?", tools=(LOOKUP,), more=more)

    assert calls_of(second.content) == ()
    assert "status: shipped, arrives on: Monday" in text_of(second.content)


@pytest.mark.parametrize("span", ["10 seconds", "ten seconds", "a few seconds"])
async def test_the_demo_sets_its_alarm_and_tells_what_came_of_it(ask, span):
    question = f"Remind me to call the vet in {span}."
    first = await ask(question, tools=(WAKEUP,))
    (call,) = calls_of(first.content)
    arguments = {"note": "It is time to call the vet.", "after_seconds": 10}
    assert (call.name, call.arguments) == ("schedule_wakeup", arguments)

    result = ToolResultBlock(call_id=call.id, text="It wakes you at nine.")
    more = (
        NewMessage(role=Role.ASSISTANT, content=first.content),
        NewMessage(role=Role.TOOL, content=(result,)),
    )
    second = await ask(question, tools=(WAKEUP,), more=more)

    assert calls_of(second.content) == ()
    assert "“It wakes you at nine.”" in text_of(second.content)


async def test_the_demo_sets_no_alarm_for_another_time_than_it_was_asked_for(ask):
    reply = await ask("Remind me to call the vet in 2 hours.", tools=(WAKEUP,))
    assert calls_of(reply.content) == ()
    assert "in 10 seconds" in text_of(reply.content)


async def test_the_demo_streams_word_by_word(ask, clock):
    deltas = WrittenDeltas()

    reply = await ask("Tell me a story", deltas=deltas)

    assert "".join(deltas.pieces) == text_of(reply.content)
    assert len(deltas.pieces) > 50
    assert 3 < clock.at < 30


async def test_the_echo_repeats_what_it_is_told(ask):
    assert text_of((await ask("a $b {c}", name="echo")).content) == "a $b {c}"
