"""Estimates of token counts, for calls whose provider never told them."""

from collections.abc import Iterable
from typing import assert_never

from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    ReasoningBlock,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
)
from powerloop.kernel.ports.model import ModelRequest
from powerloop.kernel.usage import Usage

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 765


def estimate_usage(request: ModelRequest, output_characters: int) -> Usage:
    """What a call probably used whose answer has so many characters. Cheap: lengths only."""
    return Usage(input_tokens=_input_tokens(request), output_tokens=_tokens(output_characters))


def characters_of(content: Iterable[Block]) -> int:
    """The length of everything textual in `content`."""
    return sum(map(_characters, content))


def _input_tokens(request: ModelRequest) -> int:
    characters, images = len(request.system), 0
    for message in request.messages:
        for block in message.content:
            if isinstance(block, ImageBlock):
                images += 1
            else:
                characters += _characters(block)
    return _tokens(characters) + TOKENS_PER_MESSAGE * len(request.messages) + TOKENS_PER_IMAGE * images


def _characters(block: Block) -> int:
    match block:
        case TextBlock() | ToolResultBlock() | ReasoningBlock():
            return len(block.text)
        case ToolCallBlock():
            return len(block.name) + len(block.malformed) + len(str(block.arguments))
        case ImageBlock():
            return 0
    assert_never(block)


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
