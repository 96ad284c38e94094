"""The examples of docs/agents.md, with scripted models in place of real ones."""

import ast
import inspect
import re
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from powerloop import Agent, AsyncPowerLoop, SendStatus
from powerloop.llm.script import Rule, Script, ScriptedCall, Turn

PAGE = Path(__file__).parents[3] / "docs/agents.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the code blocks of the page define, one after another."""
    names: dict[str, Any] = {}
    text = re.sub(
        r'name="(\w+)",(\s+)model="openai:[^"]*"', r'name="\1",\2model="scripted:\1"', PAGE.read_text()
    )
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        code = compile(block, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert isinstance(code, CodeType)
        assert not code.co_flags & inspect.CO_COROUTINE, "a block that needs a server is in a function"
        exec(code, names)
    return names


def calling(name: str, *arguments: dict[str, Any]) -> Script:
    """Makes these calls of one tool, and tells their results."""
    calls = tuple(ScriptedCall(name=name, arguments=each) for each in arguments)
    return Script(rules=(Rule(pattern=".", turns=(Turn(calls=calls), Turn(text="$result"))),))


@pytest.fixture
def send(eventually) -> Any:
    """Sends to an agent; then a person does something, once the send waits. Returns how it ended."""

    async def send(agent: Agent, person: Any = None, **scripts: Script) -> str:
        async with AsyncPowerLoop.local(":memory:", agents=[agent], scripts=scripts) as loop:
            session = await loop.create_session(agent=agent.name)
            handle = await loop.send(session.id, "Go.")
            if person is not None:

                async def waits() -> bool:
                    return (await handle.refresh()).status is SendStatus.WAITING

                await eventually(waits, "somebody is asked")
                await person(loop)
            result = await handle.result(timeout=20)
            assert result.status is SendStatus.COMPLETED
            return result.text

    return send


async def test_an_agent_has_others_work_for_it(page, send):
    text = await send(
        page["author"],
        author=calling("librarian", {"input": "cats"}, {"input": "dogs"}),
        librarian=calling("search", {"subject": "$input"}),
    )

    assert [f"{subject}, volume 2" in text for subject in ("cats", "dogs")] == [True, True]


async def test_a_model_starts_an_agent_that_is_listed(page, send):
    text = await send(
        page["editor"],
        editor=calling("spawn_agent", {"agent": "author", "input": "Write about cats."}),
        author=Script(otherwise=Turn(text="Of $input")),
    )

    assert text == "Of Write about cats."


async def test_a_model_starts_an_agent_of_its_making(page, send):
    spec = {"name": "checker", "model": "scripted:checker", "tools": ["search"]}

    text = await send(
        page["editor"],
        editor=calling("spawn_agent", {"spec": spec, "input": "cats"}),
        checker=calling("search", {"subject": "$input"}),
    )

    assert "cats, volume 1" in text


async def test_a_model_that_errs_is_told_all_that_is_wrong(page, send):
    spec = {"name": "checker", "tools": ["serch"]}

    text = await send(page["editor"], editor=calling("spawn_agent", {"spec": spec, "mode": "later"}))

    assert "spec.tools[0] is no tool of yours, \"serch\"; did you mean 'search'?" in text
    assert "input is missing" in text
    assert "mode should be one of" in text


async def test_a_person_answers_a_question(page, send):
    script = calling("ask_user", {"prompt": "Which size?", "choices": ["S", "L"]})

    assert await send(page["tailor"], page["answer_all"], tailor=script) == "L"


async def test_a_question_of_a_tool_is_answered_likewise(page, send):
    agent = Agent(name="flyer", model="scripted:flyer", tools=[page["choose_seat"]])

    async def answer(loop):
        [question] = await loop.interactions()
        assert question.prompt == "Where would you like to sit on PL 1?"
        await loop.answer(question.id, "aisle")

    assert await send(agent, answer, flyer=calling("choose_seat", {"flight": "PL 1"})) == "aisle"


async def test_a_small_refund_needs_no_approval(page, send):
    script = calling("refund", {"order_id": "A-17", "amount": 100})

    assert await send(page["cashier"], cashier=script) == "paid 100 back for A-17"


@pytest.mark.parametrize(
    ("amount", "words"), [(900, "paid 500 back for A-17"), (1000, "The reason: Offer a voucher instead.")]
)
async def test_a_person_decides_about_a_large_refund(page, send, amount, words):
    script = calling("refund", {"order_id": "A-17", "amount": amount})

    assert (await send(page["cashier"], page["decide"], cashier=script)).endswith(words)


async def test_a_newsletter_is_sent_when_somebody_allows_it(page, send):
    async def approve(loop):
        [asked] = await loop.interactions(kind="approval")
        assert asked.prompt.startswith("cashier wants to call send_newsletter with")
        await loop.answer(asked.id, {"action": "approve"})

    assert await send(page["cashier"], approve, cashier=calling("send_newsletter", {"text": "Hi."})) == "sent"


async def test_a_tool_with_a_queue_runs_in_place_where_there_is_one_process(page, send):
    text = await send(page["tester"], tester=calling("screenshot", {"url": "example.org"}))
    assert text == "a picture of example.org"


async def test_a_model_schedules_a_wake_up(page, send):
    text = await send(
        page["watchman"],
        watchman=calling("schedule_wakeup", {"note": "Look.", "cron": "0 9 * * 1-5", "tz": "Europe/Berlin"}),
    )

    assert "is scheduled. It wakes you at " in text


async def test_a_model_sleeps_for_a_while(page, send):
    assert await send(page["reminder"], reminder=calling("sleep", {"seconds": 0.2})) == "The time has come."
