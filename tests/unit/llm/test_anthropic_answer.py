"""Anthropic's answers, put together from events or taken whole."""

import pytest

from powerloop.kernel.messages import ReasoningBlock, TextBlock, calls_of
from powerloop.kernel.ports.model import FinishReason, ModelReply
from powerloop.kernel.usage import Usage
from powerloop.llm.anthropic_answer import AnthropicAnswer
from powerloop.testing.model_providers import WrittenDeltas, make_request

REQUEST = make_request("anthropic:claude-test")


def started(index: int, **block: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grown(index: int, kind: str, **fields: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stopped(reason: str | None, **usage: object) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def streamed(*events: dict[str, object], deltas: WrittenDeltas | None = None) -> ModelReply:
    answer = AnthropicAnswer(REQUEST, deltas)
    for event in events:
        answer.take_event(event)
    return answer.reply()


def test_blocks_grow_by_their_index_and_keep_the_models_order():
    deltas = WrittenDeltas()

    reply = streamed(
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        started(0, type="thinking", thinking="", signature=""),
        grown(0, "thinking_delta", thinking="Let me "),
        grown(0, "thinking_delta", thinking="see."),
        grown(0, "signature_delta", signature="proof"),
        started(1, type="redacted_thinking", data="c2VjcmV0"),
        {"type": "ping"},
        started(2, type="text", text=""),
        grown(2, "text_delta", text="I "),
        grown(2, "citations_delta", citation={}),
        grown(2, "text_delta", text="look."),
        started(3, type="tool_use", id="t1", name="find", input={}),
        grown(3, "input_json_delta", partial_json=""),
        grown(3, "input_json_delta", partial_json='{"a": '),
        grown(3, "input_json_delta", partial_json="1}"),
        started(4, type="tool_use", id="t2", name="now", input={}),
        started(5, type="server_tool_use", id="s1", name="web_search", input={}),
        stopped("tool_use", output_tokens=7),
        {"type": "message_stop"},
        {"type": "something_new"},
        deltas=deltas,
    )

    assert reply.content[:3] == (
        ReasoningBlock(text="Let me see.", signature="proof"),
        ReasoningBlock(text="", signature="c2VjcmV0", redacted=True),
        TextBlock(text="I look."),
    )
    assert [(c.id, c.name, c.arguments) for c in calls_of(reply.content)] == [
        ("t1", "find", {"a": 1}),
        ("t2", "now", {}),
    ]
    assert (deltas.pieces, deltas.reasons) == (["I ", "look."], ["Let me ", "see."])
    assert reply.finish is FinishReason.TOOL_CALLS
    assert reply.usage == Usage(input_tokens=9, output_tokens=7)


def test_calls_of_a_cut_answer_stay_cut():
    reply = streamed(
        started(0, type="tool_use", id="t1", name="write", input={}),
        grown(0, "input_json_delta", partial_json='{"text": "Once'),
        stopped("max_tokens", output_tokens=5),
    )

    assert reply.finish is FinishReason.LENGTH
    assert calls_of(reply.content)[0].malformed == '{"text": "Once'


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("pause_turn", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("refusal", FinishReason.REFUSAL),
        ("something_new", FinishReason.STOP),
    ],
)
def test_finish_reasons(said, finish):
    assert streamed(started(0, type="text", text="x"), stopped(said)).finish is finish


def test_tokens_of_the_cache_count_as_input():
    answer = AnthropicAnswer(REQUEST, None)
    answer.take_message(
        {
            "content": [{"type": "text", "text": "x"}],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 200,
                "cache_creation_input_tokens": 30,
                "output_tokens": 5,
                "output_tokens_details": {"thinking_tokens": 2},
                "service_tier": None,
            },
        }
    )

    assert answer.reply().usage == Usage(
        input_tokens=240,
        output_tokens=5,
        cached_tokens=200,
        cache_write_tokens=30,
        reasoning_tokens=2,
    )


def test_counts_at_the_end_of_a_stream_win_over_those_at_its_start():
    reply = streamed(
        {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}},
        started(0, type="text", text="x"),
        stopped("end_turn", input_tokens=11, cache_read_input_tokens=None, output_tokens=7),
    )

    assert reply.usage == Usage(input_tokens=11, output_tokens=7)


def test_usage_that_is_not_told_is_estimated():
    reply = streamed(started(0, type="text", text="x" * 40), stopped("end_turn"))

    assert reply.estimated
    assert reply.usage.output_tokens == 10
    assert reply.usage.input_tokens > 0


def test_an_answer_has_ended_when_it_says_why():
    answer = AnthropicAnswer(REQUEST, None)
    answer.take_event(started(0, type="text", text="x"))
    assert (answer.began, answer.ended) == (True, False)

    answer.take_event(stopped("end_turn"))
    assert answer.ended
