"""The parts of OpenAI's format that differ from server to server."""

from dataclasses import replace

from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock
from powerloop.kernel.model_settings import ModelSettings
from powerloop.llm.network import encoded
from powerloop.llm.openai_request import encode
from powerloop.testing.model_providers import make_request

REQUEST = make_request("openai:gpt-test")


def test_the_limit_of_the_output_goes_by_the_servers_name():
    request = replace(REQUEST, settings=ModelSettings(max_output_tokens=7))

    assert encode(request, streamed=False, limit_field="max_tokens")["max_tokens"] == 7
    assert encode(request, streamed=False, limit_field="max_completion_tokens")["max_completion_tokens"] == 7


def test_what_the_application_adds_wins():
    settings = ModelSettings(temperature=1.0, extra={"temperature": 0, "reasoning_effort": "low"})

    body = encode(replace(REQUEST, settings=settings), streamed=False, limit_field="max_tokens")

    assert (body["temperature"], body["reasoning_effort"]) == (0, "low")


def test_malformed_arguments_go_back_as_an_empty_object():
    call = ToolCallBlock(id=CallId("1"), name="find", arguments={}, malformed='{"a')
    request = replace(REQUEST, messages=[NewMessage(role=Role.ASSISTANT, content=(call,))])

    message = encode(request, streamed=False, limit_field="max_tokens")["messages"][-1]

    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_an_answer_without_anything_is_sent_as_an_empty_text():
    request = replace(REQUEST, messages=[NewMessage(role=Role.ASSISTANT, content=())])

    assert encode(request, streamed=False, limit_field="max_tokens")["messages"][-1]["content"] == ""


def test_half_a_surrogate_pair_does_not_stop_a_request():
    request = replace(REQUEST, messages=[NewMessage(role=Role.USER, content=(TextBlock(text="a\ud83d"),))])

    body = encoded(encode(request, streamed=False, limit_field="max_tokens"))

    assert b'"a?"' in body
