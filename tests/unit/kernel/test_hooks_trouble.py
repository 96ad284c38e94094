"""Hooks that fail, hang, or decide what they cannot; and the order in which hooks are asked."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.errors import HookFailed
from powerloop.kernel.hooks import (
    Answer,
    ChangeInput,
    ChangeMessage,
    ChangeMessages,
    ChangeReply,
    ChangeText,
    Hook,
    Hooks,
    Veto,
)
from powerloop.kernel.ids import CallId
from powerloop.kernel.messages import (
    NewMessage,
    Role,
    TextBlock,
    ToolCallBlock,
    ToolResultBlock,
    user_message,
)
from powerloop.kernel.ports.journal import ModelCommit, ResultsCommit
from powerloop.kernel.ports.model import FinishReason, ModelReply, ModelRequest
from powerloop.kernel.usage import Usage
from powerloop.kernel.waits import Question, Spawn
from powerloop.testing.factories import make_call, make_send

SEND = make_send()
CALL = replace(make_call(), arguments={"amount": 500})
REPLY = ModelReply(content=(TextBlock(text="Hi."),), finish=FinishReason.STOP, usage=Usage())
REQUEST = ModelRequest(model="scripted:echo", system="Help.", messages=(user_message("hello"),))
OUTCOME = ToolOutcome(call_id=CALL.id, status=CallStatus.DONE, text="found")
RESULTS = ResultsCommit(
    outcomes=(),
    message=NewMessage(role=Role.TOOL, content=(ToolResultBlock(call_id=CALL.id, text="found"),)),
)
SPAWN = Spawn(agent="researcher", content=(TextBlock(text="Find it."),))
QUESTION = Question(prompt="Which one?", choices=("red", "blue"))

#: The stages that give something back, each with what they are asked about.
STAGES: dict[str, Any] = {
    "session_start": ("Help.",),
    "round_start": (1, REQUEST.messages),
    "before_model": (1, REQUEST),
    "after_model": (1, REQUEST, REPLY),
    "after_tool": (CALL, OUTCOME),
    "before_commit": (1, RESULTS),
    "spawn": (CALL, SPAWN),
}


class Everywhere(Hook):
    """Does the same wherever it is asked."""

    def __init__(self, *, guard: bool = False) -> None:
        self.guard = guard

    async def does(self, context: Any) -> Any:
        raise NotImplementedError

    async def session_start(self, context: Any) -> Any:
        return await self.does(context)

    session_end = round_start = round_end = before_model = after_model = session_start
    before_tool = after_tool = before_commit = spawn = interaction = session_start


class Raising(Everywhere):
    async def does(self, context: Any) -> Any:
        raise LookupError("the policy server is away")


class Hanging(Everywhere):
    timeout = timedelta(milliseconds=1)

    async def does(self, context: Any) -> Any:
        await asyncio.Event().wait()


class Stubborn(Everywhere):
    """Decides after its time, however it is ended."""

    timeout = timedelta(milliseconds=1)

    async def does(self, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Veto("late")


class Cancelling(Everywhere):
    async def does(self, context: Any) -> Any:
        raise asyncio.CancelledError


class Exiting(Everywhere):
    async def does(self, context: Any) -> Any:
        raise SystemExit(1)


class Nonsense(Everywhere):
    async def does(self, context: Any) -> Any:
        return True


FAILING = [Raising, Hanging, Stubborn, Cancelling, Exiting, Nonsense]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", FAILING)
async def test_an_observer_that_fails_changes_nothing(kind, stage):
    about = STAGES[stage]
    assert await getattr(Hooks([kind()], SEND), stage)(*about) == about[-1]


@pytest.mark.parametrize("kind", FAILING)
async def test_an_observer_that_fails_stops_no_call_no_round_and_no_question(kind):
    hooks = Hooks([kind()], SEND)
    assert await hooks.before_tools([CALL]) == ((CALL,), ())
    assert await hooks.interaction(CALL, QUESTION) is None
    await hooks.round_end(1, ())


async def test_an_observer_that_spoils_the_arguments_and_raises_has_changed_nothing():
    class Spoiling(Hook):
        async def before_tool(self, context):
            context.call.arguments["amount"] = 0
            raise LookupError

    allowed, _ = await Hooks([Spoiling()], SEND).before_tools([CALL])
    assert allowed[0].arguments == {"amount": 500}


@pytest.mark.parametrize(
    "stage", ["session_start", "round_start", "before_model", "after_model", "before_commit"]
)
@pytest.mark.parametrize("kind", FAILING)
async def test_a_guard_that_fails_fails_the_send(kind, stage):
    with pytest.raises(HookFailed, match=f"hook '{kind.__name__}' at {stage}") as caught:
        await getattr(Hooks([kind(guard=True)], SEND), stage)(*STAGES[stage])
    assert caught.value.code == "hook.failed"


@pytest.mark.parametrize("kind", FAILING)
async def test_a_guard_that_fails_stops_the_call_and_tells_the_model_no_more_than_that(kind):
    hooks = Hooks([kind(guard=True)], SEND)
    allowed, [refused] = await hooks.before_tools([CALL])
    assert (allowed, refused.status) == ((), CallStatus.FAILED)
    assert refused.text == "Not run: the check that must allow it could not be made."
    spawned = await hooks.spawn(CALL, SPAWN)
    assert isinstance(spawned, ToolOutcome)
    assert spawned.status is CallStatus.FAILED
    withheld = await hooks.after_tool(CALL, OUTCOME)
    assert withheld.status is CallStatus.FAILED
    assert "found" not in withheld.text


async def test_a_guard_that_fails_keeps_a_person_from_being_asked():
    answer = await Hooks([Raising(guard=True)], SEND).interaction(CALL, QUESTION)
    assert answer is not None
    assert answer.status is CallStatus.FAILED


async def test_once_a_send_has_ended_even_a_guard_that_fails_is_passed_over():
    told = []

    class Told(Hook):
        async def session_end(self, context):
            told.append(context.send_id)

    ending: Any = None
    await Hooks([Told(), Raising(guard=True)], SEND).session_end(ending)
    assert told == ["send-1"]


async def test_a_failure_is_logged_with_the_hook_and_the_stage(caplog):
    caplog.set_level(logging.WARNING, "powerloop.hooks")
    await Hooks([Raising()], SEND).before_model(1, REQUEST)
    [record] = caplog.records
    assert record.getMessage() == "hook failed"
    assert (record.hook, record.stage, record.guard) == ("Raising", "before_model", False)
    assert record.send_id == "send-1"


@pytest.mark.parametrize("guard", [False, True])
@pytest.mark.parametrize("kind", [Hanging, Stubborn])
async def test_a_cancellation_passes_through_a_hook_whatever_it_makes_of_that(kind, guard):
    begun = asyncio.Event()

    class Begun(kind):
        timeout = timedelta(hours=1)

        async def does(self, context):
            begun.set()
            return await super().does(context)

    task = asyncio.create_task(Hooks([Begun(guard=guard)], SEND).before_model(1, REQUEST))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


CALLS = (ToolCallBlock(id=CallId("a"), name="find", arguments={}),)
ASKS = NewMessage(role=Role.ASSISTANT, content=CALLS)
TELLS = NewMessage(role=Role.TOOL, content=(ToolResultBlock(call_id=CallId("a"), text="it"),))


@pytest.mark.parametrize(
    ("stage", "decision"),
    [
        ("session_start", ChangeText("of another stage")),
        ("round_start", ChangeMessages([])),
        ("round_start", ChangeMessages([user_message("hi"), ASKS])),
        ("round_start", ChangeMessages([ASKS, user_message("hi")])),
        ("round_start", ChangeMessages([TELLS])),
        ("round_start", ChangeMessages([user_message("hi"), NewMessage(role=Role.ASSISTANT, content=())])),
        ("after_model", ChangeReply(TELLS.content)),
        ("after_model", ChangeReply((ToolCallBlock(id=CallId(""), name="find", arguments={}),))),
        ("before_commit", ChangeMessage(user_message("as somebody else"))),
        ("before_commit", ChangeMessage(NewMessage(role=Role.TOOL, content=TELLS.content))),
        ("spawn", ChangeInput(())),
    ],
)
async def test_a_change_that_would_spoil_the_send_is_a_failure_of_the_hook(stage, decision):
    class Spoiling(Everywhere):
        async def does(self, context):
            return decision

    about = STAGES[stage]
    assert await getattr(Hooks([Spoiling()], SEND), stage)(*about) == about[-1]


async def test_messages_whose_calls_have_their_results_may_be_shown():
    class Shows(Hook):
        async def round_start(self, context):
            return ChangeMessages([*context.messages, ASKS, TELLS])

    assert await Hooks([Shows()], SEND).round_start(1, REQUEST.messages) == (*REQUEST.messages, ASKS, TELLS)


async def test_an_answer_that_is_none_of_the_choices_is_left_to_a_person():
    class Answers(Hook):
        async def interaction(self, context):
            return Answer("green")

    assert await Hooks([Answers()], SEND).interaction(CALL, QUESTION) is None


async def test_a_commit_of_calls_keeps_them():
    class Drops(Hook):
        async def before_commit(self, context):
            return ChangeMessage(replace(context.message, content=(TextBlock(text="nothing"),)))

    commit = ModelCommit(round=1, message=ASKS, calls=(), entries=())
    assert await Hooks([Drops()], SEND).before_commit(1, commit) == commit
