"""Questions and approvals that a process has left to people: answered from another one, which goes on."""

import asyncio
from datetime import timedelta

import pytest

from powerloop import Agent, AsyncPowerLoop, InvalidInput, PowerLoop, SendStatus, tool
from powerloop.kernel.calls import Effect, NewToolCall
from powerloop.kernel.errors import InteractionClosed
from powerloop.kernel.ids import CallId, InteractionId, SendId, SessionId, WorkerId
from powerloop.kernel.interactions import InteractionKind, NewInteraction
from powerloop.kernel.messages import NewMessage, Role, TextBlock, ToolCallBlock
from powerloop.kernel.ports.journal import ModelCommit
from powerloop.kernel.sends import NewSend
from powerloop.kernel.sessions import NewSession
from powerloop.kernel.suspension import Suspension
from powerloop.llm.script import Script, ScriptedCall, Turn
from powerloop.store import open_store

ORDER = {
    "type": "object",
    "properties": {"size": {"enum": ["S", "M"]}, "amount": {"type": "integer"}},
    "required": ["size", "amount"],
}
PAY = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}

paid: list[int] = []


@tool(effect="once")
async def pay(amount: int) -> str:
    """Pay."""
    paid.append(amount)
    return f"paid {amount}"


CLERK = Agent(name="clerk", model="scripted:clerk", tools=[pay])
SCRIPT = Script(
    turns=(Turn(calls=(ScriptedCall(name="pay", arguments={"amount": 900}),)), Turn(text="So: $result"))
)


def question(kind=InteractionKind.INPUT, **fields):
    return NewInteraction(
        id=InteractionId("question"), kind=kind, call_id=CallId("c1"), prompt="May I?", **fields
    )


@pytest.fixture
def asks(tmp_path):
    """Has a send wait for the question's answer, in a process that is gone; the file that it is in."""
    paid.clear()
    path = tmp_path / "app.db"

    async def ask(asked):
        store = open_store(f"sqlite:///{path}")
        await store.open()
        await store.sessions.create(NewSession(id=SessionId("s"), agent="clerk"))
        new = NewSend(id=SendId("x"), session_id=SessionId("s"), content=(TextBlock(text="Pay!"),))
        claim = await store.journal.claim((await store.sends.accept(new)).send, WorkerId("gone"))
        block = ToolCallBlock(id=CallId("c1"), name="pay", arguments={"amount": 900})
        call = NewToolCall(
            id=block.id, name=block.name, arguments=block.arguments, effect=Effect.ONCE, index=0
        )
        message = NewMessage(role=Role.ASSISTANT, content=(block,))
        await store.journal.commit_model(
            claim.fence, ModelCommit(round=1, message=message, calls=(call,), entries=())
        )
        await store.journal.suspend(claim.fence, Suspension(interactions=(asked,)))
        await store.close()
        return path

    return ask


def opened(path):
    return AsyncPowerLoop.local(path, agents=[CLERK], scripts={"clerk": SCRIPT})


async def test_an_answer_is_held_against_the_schema_and_becomes_the_result(asks):
    async with opened(await asks(question(schema=ORDER))) as loop:
        [asked] = await loop.interactions(kind="input")
        assert (asked.schema, asked.choices, asked.expires_at) == (ORDER, (), None)
        with pytest.raises(InvalidInput) as refused:
            await loop.answer(asked.id, {"size": "XXL"})
        assert 'size should be one of "S", "M", not "XXL"' in refused.value.message
        assert "amount is missing" in refused.value.message
        assert (await loop.get_interaction(asked.id)).status == "open"

        answered = await loop.answer(asked.id, {"size": "S", "amount": 2}, actor="ada")
        assert (answered.status, answered.actor) == ("answered", "ada")
        result = await (await loop.get_send("x")).result(timeout=20)
        assert result.text == 'So: {"size": "S", "amount": 2}'
        assert paid == []


async def test_a_second_answer_is_told_who_was_faster_and_when(asks):
    async with opened(await asks(question(schema=ORDER))) as loop:
        answered = await loop.answer("question", {"size": "S", "amount": 2}, actor="ada")
        with pytest.raises(InteractionClosed, match="answered by 'ada'") as refused:
            await loop.answer("question", "that is none, too", actor="bob")
        assert (refused.value.actor, refused.value.closed_at) == ("ada", answered.closed_at)


async def test_one_of_the_choices_is_the_answer(asks):
    async with opened(await asks(question(choices=("today", "tomorrow")))) as loop:
        with pytest.raises(InvalidInput, match="did you mean 'tomorrow'"):
            await loop.answer("question", "tomorow")
        await loop.answer("question", "tomorrow")
        assert (await (await loop.get_send("x")).result(timeout=20)).text == "So: tomorrow"


async def test_an_approved_call_runs_with_the_arguments_that_were_edited(asks):
    async with opened(await asks(question(InteractionKind.APPROVAL, schema=PAY))) as loop:
        [asked] = await loop.interactions(kind=InteractionKind.APPROVAL)
        assert (asked.tool, asked.arguments) == ("pay", {"amount": 900})
        with pytest.raises(InvalidInput, match="amount should be of type integer"):
            await loop.answer(asked.id, {"action": "edit", "arguments": {"amount": "much"}})
        edit = {"action": "edit", "arguments": {"amount": 90}}
        await loop.answer(asked.id, edit, actor="ada")
        await (await loop.get_send("x")).result(timeout=20)
        assert paid == [90]
        [closed] = await loop.interactions(status="answered")
        assert (closed.answer, closed.actor, closed.arguments) == (edit, "ada", {"amount": 900})
        assert closed.closed_at > closed.created_at


async def test_a_denied_call_does_not_run(asks):
    async with opened(await asks(question(InteractionKind.APPROVAL))) as loop:
        await loop.answer("question", {"action": "deny", "reason": "Too much."})
        result = await (await loop.get_send("x")).result(timeout=20)
        assert result.status is SendStatus.COMPLETED
        assert "The reason: Too much." in result.text
        assert paid == []


async def test_a_deadline_gives_the_default_answer(asks):
    within = timedelta(milliseconds=50)
    async with opened(await asks(question(schema=ORDER, within=within, default="as always"))) as loop:
        assert (await (await loop.get_send("x")).result(timeout=20)).text == "So: as always"
        [expired] = await loop.interactions(status="expired")
        assert (expired.id, expired.answer, expired.actor) == ("question", None, "")


async def test_kinds_that_there_are_not_are_refused_with_the_nearest(asks):
    async with opened(await asks(question())) as loop:
        assert await loop.interactions(kind="approval") == []
        with pytest.raises(InvalidInput, match="Did you mean 'approval'"):
            await loop.interactions(kind="aproval")


async def test_the_blocking_face_lists_shows_and_answers(asks):
    path = await asks(question(choices=("yes", "no")))

    def blocking():
        with PowerLoop.local(path, agents=[CLERK], scripts={"clerk": SCRIPT}) as loop:
            [asked] = loop.interactions(kind="input", session_id="s", send_id="x", limit=1)
            assert loop.get_interaction(asked.id) == asked
            with pytest.raises(InvalidInput, match="one of the choices"):
                loop.answer(asked.id, "perhaps")
            assert loop.answer(asked.id, "yes", actor="ada").status == "answered"
            return loop.get_send("x").result(timeout=20).text

    assert await asyncio.to_thread(blocking) == "So: yes"
