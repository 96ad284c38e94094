import json

import pytest

from powerloop.kernel.codec import block_from_json, block_to_json, content_from_json, content_to_json
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)

BLOCKS: list[Block] = [
    TextBlock(text="hello"),
    ImageBlock(url="https://example.org/a.png", media_type="image/jpeg"),
    ImageBlock(data="aGk="),
    ToolCallBlock(id=CallId("c"), name="find", arguments={"n": [1, {"x": None}]}),
    ToolCallBlock(id=CallId("c"), name="find", arguments={}, malformed='{"n": '),
    ToolResultBlock(call_id=CallId("c"), text="found"),
    ToolResultBlock(call_id=CallId("c"), text="no", is_error=True),
    ReasoningBlock(text="hm"),
    ReasoningBlock(text="hm", signature="sig"),
    ReasoningBlock(text="", signature="opaque", redacted=True),
]


def test_every_block_survives_the_wire():
    assert content_from_json(json.loads(json.dumps(content_to_json(BLOCKS)))) == tuple(BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.type)
def test_a_block_names_its_type(block: Block):
    assert block_to_json(block)["type"] == block.type


@pytest.mark.parametrize(
    "data", [{}, {"type": "video"}, {"type": "text"}, {"type": "tool_call", "id": "x"}, {"type": None}]
)
def test_a_block_that_is_not_one_is_refused_in_words(data: dict[str, object]):
    with pytest.raises(InvalidInput, match="content block"):
        block_from_json(data)
