"""Changes: what a decision makes of the value that it is about: functions without I/O.

Each raises where the decision is of another stage, or would spoil what the value must hold: the hook has
failed then.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.hooks.decisions import (
    Answer,
    ChangeArguments,
    ChangeInput,
    ChangeInstructions,
    ChangeMessage,
    ChangeMessages,
    ChangeReply,
    ChangeRequest,
    ChangeText,
)
from powerloop.kernel.interactions import Resolution, resolve
from powerloop.kernel.jsontypes import clean_json, clean_text
from powerloop.kernel.messages import (
    Block,
    Message,
    NewMessage,
    ReasoningBlock,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    calls_of,
    input_content,
)
from powerloop.kernel.ports.journal import Ending, ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import ModelReply, ModelRequest
from powerloop.kernel.sends import SendStatus
from powerloop.kernel.usage import ModelCallEntry
from powerloop.kernel.waits import Question, Spawn

D = TypeVar("D")
Commit = TypeVar("Commit", ModelCommit, ResultsCommit, Ending)


def must_be_written(commit: ModelCommit | ResultsCommit | Ending) -> bool:
    """Whether it is no matter of hooks: a send that failed or was cancelled must end."""
    return isinstance(commit, Ending) and commit.status is not SendStatus.COMPLETED


def expect(decision: object, kind: type[D]) -> D:
    """The decision, if it is one of that kind.

    Raises:
        TypeError: it is none that can be made here.
    """
    if not isinstance(decision, kind):
        raise TypeError(f"{type(decision).__name__} cannot be decided here, but {kind.__name__} can.")
    return decision


def unchanged(_value: None, decision: object) -> None:
    """For stages where nothing can be changed."""
    raise TypeError(f"{type(decision).__name__} cannot be decided here: there is nothing to change.")


def changed_instructions(_instructions: str, decision: object) -> str:
    return expect(decision, ChangeInstructions).instructions


def changed_messages(
    _messages: Sequence[Message | NewMessage], decision: object
) -> Sequence[Message | NewMessage]:
    return _presentable(expect(decision, ChangeMessages).messages)


def changed_request(request: ModelRequest, decision: object) -> ModelRequest:
    change = expect(decision, ChangeRequest)
    return replace(
        request,
        system=request.system if change.system is None else change.system,
        messages=request.messages if change.messages is None else _presentable(change.messages),
        tools=request.tools if change.tools is None else tuple(change.tools),
        settings=request.settings if change.settings is None else change.settings,
    )


def changed_reply(reply: ModelReply, decision: object) -> ModelReply:
    change = expect(decision, ChangeReply)
    for block in change.content:
        if not isinstance(block, TextBlock | ReasoningBlock | ToolCallBlock):
            raise InvalidInput(f"an answer of a model has no {block.type} block.")
        if isinstance(block, ToolCallBlock) and not block.id:
            raise InvalidInput("a tool call of an answer has no id.")
    return replace(reply, content=tuple(change.content), finish=change.finish or reply.finish)


def changed_arguments(call: ToolCall, decision: object) -> ToolCall:
    arguments = clean_json(expect(decision, ChangeArguments).arguments)
    if not isinstance(arguments, dict):
        raise InvalidInput("the arguments of a call are an object.")
    return replace(call, arguments=arguments)


def changed_outcome(outcome: ToolOutcome, decision: object) -> ToolOutcome:
    return replace(outcome, text=clean_text(expect(decision, ChangeText).text), full_text=None)


def changed_spawn(spawn: Spawn, decision: object) -> Spawn:
    return replace(spawn, content=input_of(decision))


def input_of(decision: object) -> tuple[Block, ...]:
    """The input that the decision asks for."""
    content = input_content(expect(decision, ChangeInput).content)
    if not content:
        raise InvalidInput("an input is not empty.")
    return content


def answered(question: Question, decision: object) -> Resolution:
    """What the answer comes to."""
    value = expect(decision, Answer).value
    if question.choices and value not in question.choices:
        raise InvalidInput(f"{value!r:.200} is none of the choices.")
    return resolve(question.kind, value)


def message_of(commit: ModelCommit | ResultsCommit | Ending) -> NewMessage | None:
    """What the commit appends to the log; the last, if there is more than one."""
    if isinstance(commit, Ending):
        return commit.messages[-1] if commit.messages else None
    return commit.message


def entries_of(commit: ModelCommit | ResultsCommit | Ending) -> tuple[ModelCallEntry, ...]:
    """What the model call cost that the commit is of."""
    return () if isinstance(commit, ResultsCommit) else commit.entries


def changed_commit(commit: Commit, decision: object) -> Commit:
    old, new = message_of(commit), expect(decision, ChangeMessage).message
    if old is None:
        raise InvalidInput("this commit appends no message that could be changed.")
    if (new.role, _fixed(new)) != (old.role, _fixed(old)) or bool(new.content) != bool(old.content):
        raise InvalidInput("a message that is written down keeps its role, its calls and their results.")
    if isinstance(commit, Ending):
        return replace(commit, messages=(*commit.messages[:-1], new), output=new.content)
    return replace(commit, message=new)


def refused(call: ToolCall, note: str) -> ToolOutcome:
    """The outcome of a call that is refused."""
    return ToolOutcome(call_id=call.id, status=CallStatus.FAILED, text=clean_text(note))


def _fixed(message: NewMessage) -> tuple[Block, ...]:
    """What a message has in common with rows beside the log."""
    return tuple(block for block in message.content if isinstance(block, ToolCallBlock | ToolResultBlock))


def _presentable(messages: Sequence[Message | NewMessage]) -> tuple[Message | NewMessage, ...]:
    """The messages, if a provider takes them: every call has its result, and the model is to speak next."""
    open_calls: list[str] = []
    for message in messages:
        if message.role is Role.TOOL:
            results = [block.call_id for block in message.content if isinstance(block, ToolResultBlock)]
            if sorted(results) != sorted(open_calls) or not results:
                raise InvalidInput("the results of a message are not those of the calls before it.")
            open_calls = []
        elif open_calls:
            raise InvalidInput("calls of a message have no results after it.")
        else:
            open_calls = [block.id for block in calls_of(message.content)]
    if open_calls or not messages or messages[-1].role is Role.ASSISTANT:
        raise InvalidInput("the last message is the model's: it is to speak next.")
    return tuple(messages)
