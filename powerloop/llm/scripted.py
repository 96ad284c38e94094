"""The offline model: plays scripts, deterministically and in any process."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2s

from powerloop.kernel.clock import Clock
from powerloop.kernel.errors import ModelRejected
from powerloop.kernel.estimate import characters_of, estimate_usage
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import (
    Block,
    Message,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    text_of,
)
from powerloop.kernel.ports.model import Deltas, FinishReason, ModelReply, ModelRequest
from powerloop.llm.script import Rule, Script, Turn
from powerloop.llm.templates import facts_of, fill, fill_object

_WORDS = re.compile(r"\S+\s*|\s+")


class ScriptedModel:
    """Plays the script named after ``scripted:``. Keeps nothing between calls."""

    def __init__(self, scripts: Mapping[str, Script], clock: Clock) -> None:
        self._scripts = scripts
        self._clock = clock

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        turn, words = _next_turn(self._script(request.model), request)
        chunks = _chunks(turn, words)
        await self._write(turn, chunks, deltas)
        if turn.failure and (turn.failure.attempts is None or request.attempt <= turn.failure.attempts):
            raise turn.failure.error()
        content = _content(turn, "".join(chunks), words, request)
        calls = any(isinstance(block, ToolCallBlock) for block in content)
        return ModelReply(
            content=content,
            finish=turn.finish or (FinishReason.TOOL_CALLS if calls else FinishReason.STOP),
            usage=turn.usage or estimate_usage(request, characters_of(content)),
            estimated=turn.usage is None,
        )

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _script(self, model: str) -> Script:
        name = model.partition(":")[2]
        try:
            return self._scripts[name]
        except KeyError:
            close = get_close_matches(name, self._scripts, n=1)
            hint = (
                f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(self._scripts))}."
            )
            raise ModelRejected(f"no script is named {name!r}.", hint=hint) from None

    async def _write(self, turn: Turn, chunks: Sequence[str], deltas: Deltas | None) -> None:
        if deltas is None:
            await self._pause((turn.delay + turn.pace * max(0, len(chunks) - 1)).total_seconds())
            return
        await self._pause(turn.delay.total_seconds())
        if turn.reasoning:
            deltas.reasoning(turn.reasoning)
        for index, chunk in enumerate(chunks):
            if index:
                await self._pause(turn.pace.total_seconds())
            deltas.text(chunk)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)


def _next_turn(script: Script, request: ModelRequest) -> tuple[Turn, Mapping[str, str]]:
    """The turn to play, and the words for its templates."""
    words = _words(request.messages)
    position = _position(request.messages)
    own = script.sessions.get(request.session_id, ())
    if position < len(own):
        return own[position], words
    answered = _answered(request.messages)
    for rule in script.rules:
        found = _groups(rule, request)
        if found is not None and answered < len(rule.turns):
            return rule.turns[answered], {**words, **found}
    if position < len(script.turns):
        return script.turns[position], words
    if script.otherwise:
        return script.otherwise, words
    raise ModelRejected(
        f"the script of {request.model!r} has no turn {position + 1}.",
        hint="Give it more turns, or an `otherwise`.",
    )


def _position(messages: Sequence[Message | NewMessage]) -> int:
    """How many turns were played: one per model message, and one per user message that got no answer."""
    played = 0
    before: Role | None = None
    for message in messages:
        played += message.role is Role.ASSISTANT or (message.role is before is Role.USER)
        before = message.role
    return played


def _answered(messages: Sequence[Message | NewMessage]) -> int:
    """How many model messages came after the last user message."""
    count = 0
    for message in reversed(messages):
        if message.role is Role.USER:
            break
        count += message.role is Role.ASSISTANT
    return count


def _groups(rule: Rule, request: ModelRequest) -> Mapping[str, str] | None:
    """The named groups of a rule's patterns, or `None` if it does not apply."""
    said = _said(request.messages)
    match = re.search(rule.pattern, next(said, ""), re.IGNORECASE)
    if not match or (rule.tool and not _offers(request, rule.tool)):
        return None
    groups = _named(match)
    if not rule.recalls:
        return groups
    escaped = {name: re.escape(value) for name, value in groups.items()}
    recalls = re.compile(fill(rule.recalls, escaped), re.IGNORECASE)
    recalled = next((found for text in said if (found := recalls.search(text))), None)
    return {**groups, **_named(recalled)} if recalled else None


def _offers(request: ModelRequest, tool: str) -> bool:
    return request.tool_choice == "auto" and any(spec.name == tool for spec in request.tools)


def _named(match: re.Match[str]) -> dict[str, str]:
    return {name: value.strip() for name, value in match.groupdict(default="").items()}


def _said(messages: Sequence[Message | NewMessage]) -> Iterator[str]:
    """The texts of the user messages, the latest first."""
    return (text_of(message.content) for message in reversed(messages) if message.role is Role.USER)


def _words(messages: Sequence[Message | NewMessage]) -> dict[str, str]:
    result = _result(messages)
    return {"input": next(_said(messages), ""), "result": result, "facts": facts_of(result)}


def _result(messages: Sequence[Message | NewMessage]) -> str:
    last = next((message for message in reversed(messages) if message.role is Role.TOOL), None)
    if last is None:
        return ""
    return "\n".join(block.text for block in last.content if isinstance(block, ToolResultBlock))


def _chunks(turn: Turn, words: Mapping[str, str]) -> list[str]:
    if turn.chunks:
        return [fill(chunk, words) for chunk in turn.chunks]
    return _WORDS.findall(fill(turn.text, words))


def _content(turn: Turn, text: str, words: Mapping[str, str], request: ModelRequest) -> tuple[Block, ...]:
    content: list[Block] = []
    if turn.reasoning:
        content.append(ReasoningBlock(text=turn.reasoning))
    if text:
        content.append(TextBlock(text=text))
    if request.tool_choice == "auto":
        content += [
            ToolCallBlock(
                id=_call_id(request, index), name=call.name, arguments=fill_object(call.arguments, words)
            )
            for index, call in enumerate(turn.calls)
        ]
    return tuple(content)


def _call_id(request: ModelRequest, index: int) -> CallId:
    """The same in every process, and in no other place of the conversation."""
    place = f"{request.session_id}/{request.send_id}/{_position(request.messages)}/{index}"
    return CallId(f"call_{blake2s(place.encode(), digest_size=8).hexdigest()}")
