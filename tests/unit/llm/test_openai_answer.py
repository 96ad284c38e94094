"""Answers put together from what servers really send."""

import json

import pytest

from powerloop.kernel.messages import (
    ReasoningBlock,
    TextBlock,
    calls_of,
    text_of,
)
from powerloop.kernel.ports.model import FinishReason, ModelReply
from powerloop.kernel.usage import Usage
from powerloop.llm.openai_answer import OpenAIAnswer
from powerloop.testing.model_providers import WrittenDeltas, make_request

REQUEST = make_request("openai:gpt-test")


def call(name: str = "", arguments: str = "", **fields: object) -> dict[str, object]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def streamed(*deltas: dict[str, object], finish: str = "tool_calls") -> ModelReply:
    answer = OpenAIAnswer(REQUEST, WrittenDeltas())
    for delta in deltas:
        answer.take({"choices": [{"delta": delta}]})
    answer.take({"choices": [{"delta": {}, "finish_reason": finish}]})
    return answer.reply()


def whole(message: dict[str, object], finish: str = "stop", usage: object = None) -> ModelReply:
    answer = OpenAIAnswer(REQUEST, None)
    answer.take({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})
    return answer.reply()


def test_pieces_of_calls_are_merged_by_their_index():
    reply = streamed(
        {"tool_calls": [call("a", "", index=0, id="1"), call("b", "", index=1, id="2")]},
        {"tool_calls": [call("", '{"n":', index=1)]},
        {"tool_calls": [call("", '{"n":', index=0)]},
        {"tool_calls": [call("", " 1}", index=0), call("", " 2}", index=1)]},
    )

    assert [(c.id, c.name, c.arguments) for c in calls_of(reply.content)] == [
        ("1", "a", {"n": 1}),
        ("2", "b", {"n": 2}),
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        [call("a", "{}"), call("b", "{}")],
        [call("a", "{}", index=0), call("b", "{}", index=0)],
        [call("a", "{}", index=0, id="1"), call("b", "{}", index=0, id="2")],
        [call("a", "{}", index=0, id=""), call("b", "{}", index=0, id="")],
        [call("a", "{}", index=None, id=None), call("b", "{}", index=None, id=None)],
        [call("a", "{}", index=0, id="1"), call("b", "{}", index=1, id="1")],
    ],
    ids=["bare", "one index", "one index, two ids", "empty ids", "nulls", "one id"],
)
@pytest.mark.parametrize("together", [True, False])
def test_calls_without_ids_or_indexes_do_not_merge(pieces, together):
    deltas = [{"tool_calls": pieces}] if together else [{"tool_calls": [piece]} for piece in pieces]

    calls = calls_of(streamed(*deltas).content)

    assert [c.name for c in calls] == ["a", "b"]
    assert all(c.id for c in calls)


def test_a_name_that_is_repeated_with_its_id_does_not_begin_a_call():
    reply = streamed(
        {"tool_calls": [call("a", '{"n":', index=0, id="1")]},
        {"tool_calls": [call("a", " 1}", index=0, id="1")]},
    )

    assert [(c.name, c.arguments) for c in calls_of(reply.content)] == [("a", {"n": 1})]


def test_an_id_stays_as_the_provider_gave_it():
    (block,) = calls_of(streamed({"tool_calls": [call("a", "{}", id="call_0")]}).content)

    assert block.id == "call_0"


@pytest.mark.parametrize("written", ['{"path": "a', "[1, 2]", '"text"', "null", "{'a': 1}"])
def test_arguments_that_are_no_object_are_kept_as_written(written):
    (block,) = calls_of(whole({"tool_calls": [call("a", written, id="1")]}).content)

    assert (block.arguments, block.malformed) == ({}, written)


@pytest.mark.parametrize("written", ["", "{}", None])
def test_no_arguments_are_an_empty_object(written):
    (block,) = calls_of(whole({"tool_calls": [call("a", written, id="1")]}).content)

    assert (block.arguments, block.malformed) == ({}, "")


def test_calls_of_a_cut_answer_stay_cut():
    reply = streamed({"tool_calls": [call("write", '{"text": "Once', index=0, id="1")]}, finish="length")

    assert reply.finish is FinishReason.LENGTH
    assert calls_of(reply.content)[0].malformed == '{"text": "Once'


@pytest.mark.parametrize(
    ("said", "calls", "finish"),
    [
        ("stop", False, FinishReason.STOP),
        ("stop", True, FinishReason.TOOL_CALLS),
        ("tool_calls", True, FinishReason.TOOL_CALLS),
        ("tool_calls", False, FinishReason.STOP),
        ("function_call", True, FinishReason.TOOL_CALLS),
        ("length", True, FinishReason.LENGTH),
        ("content_filter", False, FinishReason.REFUSAL),
        ("eos", False, FinishReason.STOP),
    ],
)
def test_finish_reasons(said, calls, finish):
    message = {"content": "x", "tool_calls": [call("a", "{}", id="1")] if calls else None}

    assert whole(message, said).finish is finish


def test_a_refusal_is_told_in_its_own_words():
    reply = whole({"content": None, "refusal": "I will not."})

    assert (text_of(reply.content), reply.finish) == ("I will not.", FinishReason.REFUSAL)


def test_reasoning_remembers_its_field_and_is_not_doubled():
    reply = streamed(
        {"reasoning_content": "Let ", "reasoning": "Let "},
        {"reasoning_content": "me see.", "reasoning": "me see."},
        {"content": "Yes."},
        finish="stop",
    )

    assert reply.content == (
        ReasoningBlock(text="Let me see.", signature="reasoning_content"),
        TextBlock(text="Yes."),
    )


def test_content_may_be_a_list_of_parts():
    parts = [{"type": "text", "text": "a"}, {"type": "other"}, {"type": "text", "text": "b"}]

    assert text_of(whole({"content": parts}).content) == "ab"


def test_usage_is_read_in_the_words_of_several_vendors():
    usual = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    deepseek = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}
    sparse = {
        "prompt_tokens": 10,
        "completion_tokens": None,
        "prompt_tokens_details": None,
    }

    assert whole({"content": "x"}, usage=usual).usage == Usage(
        input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=3
    )
    assert whole({"content": "x"}, usage=deepseek).usage == Usage(
        input_tokens=10, output_tokens=5, cached_tokens=4
    )
    assert whole({"content": "x"}, usage=sparse).usage == Usage(input_tokens=10)


def test_usage_that_is_not_told_is_estimated():
    reply = whole({"content": "x" * 40})

    assert reply.estimated
    assert reply.usage.output_tokens == 10
    assert reply.usage.input_tokens > 0


def test_an_answer_has_ended_when_it_says_why_or_what_it_cost():
    answer = OpenAIAnswer(REQUEST, None)
    answer.take(json.loads('{"choices": [{"delta": {"content": "x"}, "finish_reason": null}]}'))
    assert (answer.began, answer.ended) == (True, False)

    answer.take({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    assert answer.ended
