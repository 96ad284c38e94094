"""A request in the format of OpenAI's chat completions."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from powerloop.kernel.messages import (
    Block,
    ImageBlock,
    Message,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    calls_of,
    text_of,
)
from powerloop.kernel.ports.model import ModelRequest
from powerloop.kernel.tools import ToolSpec

Wire: TypeAlias = dict[str, Any]

#: The fields in which servers send reasoning. A block has its field as its signature, and goes back in it.
REASONING_FIELDS = ("reasoning_content", "reasoning")


def encode(request: ModelRequest, *, streamed: bool, limit_field: str) -> Wire:
    """The body of the HTTP request.

    Args:
        request: What is asked.
        streamed: Whether the answer shall come in pieces.
        limit_field: What the server calls the limit of the output: OpenAI renamed it, others did not.
    """
    body: Wire = {"model": request.model.partition(":")[2], "messages": list(_messages(request))}
    if request.tools:
        body["tools"] = [_tool(spec) for spec in request.tools]
        if request.tool_choice == "none":
            body["tool_choice"] = "none"
    if request.settings.temperature is not None:
        body["temperature"] = request.settings.temperature
    if request.settings.max_output_tokens is not None:
        body[limit_field] = request.settings.max_output_tokens
    if streamed:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return {**body, **request.settings.extra}


def _messages(request: ModelRequest) -> Iterator[Wire]:
    if request.system:
        yield {"role": "system", "content": request.system}
    for message in request.messages:
        match message.role:
            case Role.USER:
                yield {"role": "user", "content": _input(message.content)}
            case Role.ASSISTANT:
                yield _answer(message)
            case Role.TOOL:
                yield from _results(message.content)


def _input(content: tuple[Block, ...]) -> str | list[Wire]:
    if all(isinstance(block, TextBlock) for block in content):
        return text_of(content)
    return [part for block in content if (part := _part(block))]


def _part(block: Block) -> Wire | None:
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text}
        case ImageBlock():
            url = block.url or f"data:{block.media_type};base64,{block.data}"
            return {"type": "image_url", "image_url": {"url": url}}
        case _:
            return None


def _answer(message: Message | NewMessage) -> Wire:
    text, calls = text_of(message.content), calls_of(message.content)
    if not calls:
        return {"role": "assistant", "content": text}
    return {
        "role": "assistant",
        "content": text or None,
        "tool_calls": [_call(call) for call in calls],
        **_reasoning(message.content),
    }


def _call(call: ToolCallBlock) -> Wire:
    # Arguments that were malformed go back as {}: servers parse them and refuse what is not JSON. The call's
    # result tells the model what it wrote.
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _reasoning(content: Iterable[Block]) -> Mapping[str, str]:
    """What was reasoned before calls: some servers refuse the results of the calls without it.

    Elsewhere it is left out, since some servers refuse to see it again.
    """
    fields: dict[str, str] = {}
    for block in content:
        if isinstance(block, ReasoningBlock) and block.signature in REASONING_FIELDS:
            fields[block.signature] = fields.get(block.signature, "") + block.text
    return fields


def _results(content: Iterable[Block]) -> Iterator[Wire]:
    for block in content:
        if isinstance(block, ToolResultBlock):
            yield {"role": "tool", "tool_call_id": block.call_id, "content": block.text}


def _tool(spec: ToolSpec) -> Wire:
    return {
        "type": "function",
        "function": {
            "name": spec.name,
            "description": spec.description,
            "parameters": dict(spec.parameters),
        },
    }
