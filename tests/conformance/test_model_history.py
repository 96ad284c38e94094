"""Every model takes whatever a session's log may hold."""

from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import (
    ImageBlock,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    calls_of,
    text_of,
    user_message,
)
from powerloop.kernel.ports.model import ModelReply
from powerloop.testing.model_providers import IMPATIENT, Answer, ToldProvider, WrittenDeltas, make_request


async def test_a_whole_history_is_taken(provider: ToldProvider, written: WrittenDeltas | None):
    """Calls, results, errors, reasoning of three providers, images, an unanswered input, an empty answer."""
    provider.will(Answer(text="All read."))
    history = (
        NewMessage(role=Role.USER, content=(TextBlock(text="What is this?"), ImageBlock(data="aGVsbG8="))),
        NewMessage(
            role=Role.ASSISTANT,
            content=(
                ReasoningBlock(text="An image.", signature="signed"),
                ReasoningBlock(text="", signature="ZW5jcnlwdGVk", redacted=True),
                ReasoningBlock(text="I must look.", signature="reasoning_content"),
                ReasoningBlock(text="Unsigned."),
                TextBlock(text="Let me look."),
                ToolCallBlock(id=CallId("call_1"), name="find_order", arguments={"order_id": "A-17"}),
                ToolCallBlock(
                    id=CallId("functions.find:1"), name="find_order", arguments={}, malformed='{"or'
                ),
            ),
        ),
        NewMessage(
            role=Role.TOOL,
            content=(
                ToolResultBlock(call_id=CallId("call_1"), text="shipped"),
                ToolResultBlock(call_id=CallId("functions.find:1"), text="not JSON", is_error=True),
            ),
        ),
        NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="It was shipped."),)),
        user_message("Thanks."),
        NewMessage(role=Role.ASSISTANT, content=()),
        user_message("And A-18?"),
        user_message("Hello?"),
    )

    reply = await provider.model(IMPATIENT).respond(make_request(provider.name, *history), written)

    assert text_of(reply.content) == "All read."


async def test_what_a_model_answered_can_be_sent_back(provider: ToldProvider, written: WrittenDeltas | None):
    provider.will(Answer(reasoning="Look.", calls=(("find_order", {"order_id": "A-17"}), ("now", {}))))
    model = provider.model(IMPATIENT)
    question = user_message("Where is order A-17?")

    first = await model.respond(make_request(provider.name, question), written)
    second = await model.respond(make_request(provider.name, question, *answered(first)), written)

    assert {call.id for call in calls_of(first.content)}.isdisjoint(
        call.id for call in calls_of(second.content)
    )


def answered(reply: ModelReply) -> tuple[NewMessage, NewMessage]:
    """The reply as a message, and the results of its calls."""
    results = tuple(ToolResultBlock(call_id=call.id, text="done") for call in calls_of(reply.content))
    return (
        NewMessage(role=Role.ASSISTANT, content=reply.content),
        NewMessage(role=Role.TOOL, content=results),
    )
