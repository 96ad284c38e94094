"""Questions to people: asked in one life of the system, and answered in another."""

from collections.abc import Callable

import pytest

from powerloop import SendStatus
from powerloop.kernel.errors import InteractionClosed, InvalidInput

pytestmark = pytest.mark.acceptance

APP = '''
from datetime import timedelta

from powerloop import Agent, tool
from powerloop.llm.script import Rule, Script, ScriptedCall, Turn
from powerloop.tools import ask_user

@tool(effect="once", approval="always")
async def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: In euros.
    """
    return f"paid {amount}"

size = {"type": "object", "properties": {"size": {"enum": ["S", "M"]}}, "required": ["size"]}
question = ScriptedCall(name="ask_user", arguments={"prompt": "Which size?", "schema": size})
asking = Script(rules=(
    Rule(pattern="pay", turns=(
        Turn(calls=(ScriptedCall(name="pay", arguments={"amount": 900}),)), Turn(text="So: $result"),
    )),
    Rule(pattern=".", turns=(Turn(calls=(question,)), Turn(text="Noted: $result"))),
))
clerk = Agent(name="clerk", model="scripted:asking", tools=[ask_user(), pay])
hasty = Agent(
    name="hasty",
    model="scripted:asking",
    tools=[ask_user(within=timedelta(seconds=1), default={"size": "M"})],
)
'''


@pytest.fixture
def people(system):
    system.add_app("people", APP)
    return {"POWERLOOP_APP": "people"}


@pytest.fixture
def asked(loop, eventually) -> Callable[..., object]:
    """Sends an input, and returns its handle and the question that it comes to."""

    async def ask(agent, text):
        session = await loop.create_session(agent=agent)
        handle = await loop.send(session.id, text)

        async def question():
            return await loop.interactions(session_id=session.id)

        [question] = await eventually(question, "somebody is asked", within=30)
        return handle, question

    return ask


async def test_a_question_outlives_the_whole_stack_and_is_answered_from_another_process(
    system, loop, people, asked, run_script
):
    worker = system.start_worker(**people)
    handle, question = await asked("clerk", "A shirt, please.")
    assert (await handle.refresh()).status is SendStatus.WAITING
    worker.kill()
    system.start_worker(**people)
    with pytest.raises(InvalidInput, match="size"):
        await loop.answer(question.id, {"size": "XXL"})
    answering = run_script(
        f"""
from powerloop import PowerLoop
with PowerLoop.from_env() as loop:
    print(loop.answer({question.id!r}, {{"size": "S"}}, actor="ada").status)
"""
    )
    assert answering.stdout.strip().endswith("answered"), answering.stderr
    result = await handle.result(timeout=30)
    assert '"S"' in result.text or "S" in result.text.split()
    with pytest.raises(InteractionClosed, match="answered"):
        await loop.answer(question.id, {"size": "M"}, actor="bob")


async def test_an_approval_edits_the_arguments_and_the_audit_shows_who_and_when(loop, system, people, asked):
    system.start_worker(**people)
    handle, question = await asked("clerk", "pay it")
    assert (question.tool, question.arguments) == ("pay", {"amount": 900})
    with pytest.raises(InvalidInput):
        await loop.answer(question.id, {"action": "edit", "arguments": {"amount": "much"}})
    await loop.answer(question.id, {"action": "edit", "arguments": {"amount": 90}}, actor="ada")
    result = await handle.result(timeout=30)
    assert "paid 90" in result.text
    [closed] = await loop.interactions(session_id=question.session_id, status="answered")
    assert (closed.actor, closed.answer["arguments"]) == ("ada", {"amount": 90})
    assert closed.closed_at > closed.created_at


async def test_a_deadline_gives_the_default_answer(loop, system, people, asked):
    system.start_worker(**people)
    system.start_beat()
    handle, question = await asked("hasty", "A shirt, please.")
    result = await handle.result(timeout=30)
    assert "M" in result.text
    [expired] = await loop.interactions(session_id=question.session_id, status="expired")
    assert (expired.id, expired.actor) == (question.id, "")
