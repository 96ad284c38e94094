"""What the providers get to see: asserted on the requests that the real SDKs put on the wire."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from powerloop.kernel.errors import ModelUnavailable
from powerloop.kernel.ids import CallId, SendId, SessionId
from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    user_message,
)
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.ports.model import ModelRequest
from powerloop.llm import ModelCatalog
from powerloop.testing.model_providers import IMPATIENT, WrittenDeltas, make_request
from powerloop.testing.wire import WireServer, failure

CACHED = {"type": "ephemeral"}


class Asking:
    """Sends requests and shows the body that arrived."""

    def __init__(self, wire: WireServer) -> None:
        self.wire = wire
        self.catalog = ModelCatalog(wire.settings, retries=IMPATIENT)

    async def body(self, request: ModelRequest, *, streamed: bool = False) -> Any:
        await self.catalog.get(request.model).respond(request, WrittenDeltas() if streamed else None)
        return self.wire.requests[-1].body


@pytest.fixture
async def asking(powerloop_wire: WireServer) -> AsyncIterator[Asking]:
    asking = Asking(powerloop_wire)
    yield asking
    await asking.catalog.close()


def said(*blocks: Block) -> NewMessage:
    return NewMessage(role=Role.ASSISTANT, content=blocks)


def resulted(**results: str) -> NewMessage:
    return NewMessage(
        role=Role.TOOL,
        content=tuple(
            ToolResultBlock(call_id=CallId(call), text=text, is_error=text.startswith("Error"))
            for call, text in results.items()
        ),
    )


def call(call_id: str, **arguments: str) -> ToolCallBlock:
    return ToolCallBlock(id=CallId(call_id), name="find_order", arguments=arguments)


def conversation(*reasoning: ReasoningBlock) -> tuple[NewMessage, ...]:
    """Two calls in one round, one of which failed; then an answer and another question."""
    return (
        user_message("Where are A-17 and A-18?"),
        said(*reasoning, TextBlock(text="I look."), call("c1", order_id="Ä-17"), call("c2", order_id="A-18")),
        resulted(c1="shipped", c2="Error: unknown"),
        said(*reasoning, TextBlock(text="One was shipped.")),
        user_message("Thanks."),
    )


async def test_openai_gets_each_call_followed_by_its_result(asking: Asking):
    body = await asking.body(make_request("openai:gpt-test", *conversation()))

    assert body["messages"] == [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "Where are A-17 and A-18?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "find_order", "arguments": '{"order_id": "Ä-17"}'},
                },
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "find_order", "arguments": '{"order_id": "A-18"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "shipped"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: unknown"},
        {"role": "assistant", "content": "One was shipped."},
        {"role": "user", "content": "Thanks."},
    ]


async def test_anthropic_gets_each_call_followed_by_its_result(asking: Asking):
    body = await asking.body(make_request("anthropic:claude-test", *conversation()))

    assert body["system"] == [{"type": "text", "text": "You help.", "cache_control": CACHED}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert body["messages"][1]["content"][1:] == [
        {"type": "tool_use", "id": "c1", "name": "find_order", "input": {"order_id": "Ä-17"}},
        {"type": "tool_use", "id": "c2", "name": "find_order", "input": {"order_id": "A-18"}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "shipped"},
        {
            "type": "tool_result",
            "tool_use_id": "c2",
            "content": "Error: unknown",
            "is_error": True,
            "cache_control": CACHED,
        },
    ]


async def test_anthropic_caches_tools_system_and_the_last_two_inputs(asking: Asking):
    history = [message for n in range(6) for message in (user_message(f"q{n}"), said(TextBlock(text="a")))]

    body = await asking.body(make_request("anthropic:claude-test", *history, user_message("last")))

    assert body["tools"][-1]["cache_control"] == CACHED
    assert body["system"][-1]["cache_control"] == CACHED
    marked = [
        block["text"]
        for message in body["messages"]
        for block in message["content"]
        if "cache_control" in block
    ]
    assert marked == ["q5", "last"]


async def test_anthropic_gets_its_thinking_back_unchanged(asking: Asking):
    thinking = ReasoningBlock(text="Hm.", signature="proof")
    redacted = ReasoningBlock(text="", signature="c2VjcmV0", redacted=True)

    body = await asking.body(make_request("anthropic:claude-test", *conversation(thinking, redacted)))

    for position in (1, 3):
        assert body["messages"][position]["content"][:2] == [
            {"type": "thinking", "thinking": "Hm.", "signature": "proof"},
            {"type": "redacted_thinking", "data": "c2VjcmV0"},
        ]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_openai_gets_reasoning_back_where_calls_were_made_and_in_its_own_field(
    asking: Asking, field: str
):
    body = await asking.body(
        make_request("openai:gpt-test", *conversation(ReasoningBlock(text="Hm.", signature=field)))
    )

    with_calls, without = (m for m in body["messages"] if m["role"] == "assistant")
    assert with_calls[field] == "Hm."
    assert not {"reasoning_content", "reasoning"} & without.keys()


@pytest.mark.parametrize("name", ["openai:gpt-test", "anthropic:claude-test"])
async def test_one_providers_reasoning_is_kept_from_the_other(asking: Asking, name: str):
    foreign = {"openai:gpt-test": "proof", "anthropic:claude-test": "reasoning_content"}[name]
    unsigned = ReasoningBlock(text="nobody's secret")

    body = await asking.body(
        make_request(
            name, *conversation(ReasoningBlock(text="another's secret", signature=foreign), unsigned)
        )
    )

    assert "secret" not in str(body)


async def test_images_go_as_the_provider_likes_them(asking: Asking):
    message = NewMessage(
        role=Role.USER,
        content=(
            TextBlock(text="Look:"),
            ImageBlock(data="aGk=", media_type="image/jpeg"),
            ImageBlock(url="https://example.org/a.png"),
        ),
    )

    openai = await asking.body(make_request("openai:gpt-test", message))
    anthropic = await asking.body(make_request("anthropic:claude-test", message))

    assert openai["messages"][-1]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]
    assert [block.get("source") for block in anthropic["messages"][-1]["content"]] == [
        None,
        {"type": "base64", "media_type": "image/jpeg", "data": "aGk="},
        {"type": "url", "url": "https://example.org/a.png"},
    ]


async def test_tools_are_shown_even_when_they_may_not_be_called(asking: Asking):
    schema = {"type": "object", "properties": {"order_id": {"type": "string"}}}

    openai = await asking.body(replace(make_request("openai:gpt-test"), tool_choice="none"))
    anthropic = await asking.body(replace(make_request("anthropic:claude-test"), tool_choice="none"))

    assert openai["tool_choice"] == "none"
    assert openai["tools"] == [
        {
            "type": "function",
            "function": {"name": "find_order", "description": "Find an order.", "parameters": schema},
        }
    ]
    assert anthropic["tool_choice"] == {"type": "none"}
    assert anthropic["tools"] == [
        {
            "name": "find_order",
            "description": "Find an order.",
            "input_schema": schema,
            "cache_control": CACHED,
        }
    ]


async def test_no_tools_means_no_tools(asking: Asking):
    for name in ("openai:gpt-test", "anthropic:claude-test"):
        body = await asking.body(replace(make_request(name), tools=(), tool_choice="none"))

        assert not {"tools", "tool_choice"} & body.keys()


async def test_settings_reach_the_provider(asking: Asking):
    settings = ModelSettings(
        temperature=0.5, max_output_tokens=99, reasoning_tokens=2048, extra={"top_p": 0.9}
    )

    openai = await asking.body(replace(make_request("openai:ft:gpt:org"), settings=settings))
    anthropic = await asking.body(replace(make_request("anthropic:claude-test"), settings=settings))

    assert (openai["model"], openai["temperature"], openai["max_tokens"]) == ("ft:gpt:org", 0.5, 99)
    assert (anthropic["model"], anthropic["temperature"], anthropic["max_tokens"]) == ("claude-test", 0.5, 99)
    assert anthropic["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert openai["top_p"] == anthropic["top_p"] == 0.9


async def test_what_is_not_set_is_left_to_the_provider(asking: Asking):
    openai = await asking.body(replace(make_request("openai:gpt-test"), system="", tools=()))
    anthropic = await asking.body(replace(make_request("anthropic:claude-test"), system="", tools=()))

    assert openai.keys() == {"model", "messages"}
    assert anthropic.keys() == {"model", "messages", "max_tokens"}
    assert anthropic["max_tokens"] == 8192


async def test_a_stream_is_asked_to_tell_its_usage(asking: Asking):
    openai = await asking.body(make_request("openai:gpt-test"), streamed=True)
    anthropic = await asking.body(make_request("anthropic:claude-test"), streamed=True)

    assert openai["stream"] is anthropic["stream"] is True
    assert openai["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", ["openai:gpt-test", "anthropic:claude-test"])
async def test_the_sdk_does_not_retry_by_itself(asking: Asking, name: str):
    asking.wire.enqueue(failure(503), failure(503), failure(503))

    with pytest.raises(ModelUnavailable):
        await asking.body(make_request(name))

    assert asking.wire.served == 1


@pytest.mark.parametrize("name", ["openai:gpt-test", "anthropic:claude-test"])
async def test_the_key_goes_with_the_request_and_the_session_does_not(asking: Asking, name: str):
    body = await asking.body(
        replace(make_request(name), session_id=SessionId("secret-1"), send_id=SendId("secret-2"))
    )

    headers = asking.wire.requests[-1].headers
    assert "wire" in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer "))
    assert "secret" not in f"{body}{headers}"
