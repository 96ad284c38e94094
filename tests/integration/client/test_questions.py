"""Questions to people, in one process: another one died in the middle of a call that must not run twice."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from powerloop import Agent, AsyncPowerLoop, InvalidInput, SendStatus, tool
from powerloop.kernel.errors import InteractionClosed, InteractionNotFound
from powerloop.llm.script import Script, ScriptedCall, Turn

SCRIPT = Script(turns=(Turn(calls=(ScriptedCall(name="pay", arguments={"amount": 3}),)), Turn(text="Done.")))

KILLED_WHILE_PAYING = """
import asyncio, sys
from powerloop import Agent, AsyncPowerLoop, tool
from powerloop.llm.script import Script, ScriptedCall, Turn

@tool(effect="once")
async def pay(amount: int) -> str:
    "Pay."
    print("paying", flush=True)
    await asyncio.sleep(60)

async def main():
    agent = Agent(name="payer", model="scripted:paying", tools=[pay])
    script = Script(turns=(Turn(calls=(ScriptedCall(name="pay", arguments={"amount": 3}),)),))
    async with AsyncPowerLoop.local(sys.argv[1], agents=[agent], scripts={"paying": script}) as loop:
        session = await loop.create_session("payer", id="s")
        await (await loop.send(session.id, "Pay!", id="payment")).result()

asyncio.run(main())
"""


@pytest.fixture
async def loop(tmp_path):
    """A process that goes on with what another one was killed with."""
    path = tmp_path / "app.db"
    command = [sys.executable, "-c", KILLED_WHILE_PAYING, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "paying\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # As if its lease had run out.
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM worker_leases")
    agent = Agent(name="payer", model="scripted:paying", tools=[pay])
    paid.clear()
    async with AsyncPowerLoop.local(path, agents=[agent], scripts={"paying": SCRIPT}) as loop:
        yield loop


paid: list[int] = []


@tool(effect="once")
async def pay(amount: int) -> str:
    """Pay."""
    paid.append(amount)
    return f"paid {amount}"


async def asked(loop, eventually):
    """The question, as soon as it is asked."""
    [interaction] = await eventually(loop.interactions, "a person is asked", within=20)
    return interaction


@pytest.mark.parametrize(
    ("answer", "result", "runs"),
    [
        ({"action": "done", "result": "the bank says so"}, "the bank says so", []),
        ({"action": "run"}, "paid 3", [3]),
        ({"action": "give_up"}, "nobody could say", []),
    ],
    ids=["done", "run", "give_up"],
)
async def test_an_answer_brings_the_send_to_its_end(loop, eventually, answer, result, runs):
    interaction = await asked(loop, eventually)
    assert (interaction.tool, interaction.arguments) == ("pay", {"amount": 3})
    handle = await loop.get_send("payment")
    await eventually(lambda: _is(handle, SendStatus.WAITING), "the send waits")
    answered = await loop.answer(interaction.id, answer, "ada")
    assert (answered.status, answered.actor) == ("answered", "ada")
    assert (await handle.result(timeout=20)).text == "Done."
    [told] = [m for m in await loop.messages("s") if m.role == "tool"]
    assert result in told.content[0].text
    assert paid == runs
    assert await loop.interactions() == []
    assert [one.id for one in await loop.interactions(send_id="payment", status=None)] == [interaction.id]
    with pytest.raises(InteractionClosed, match=r"is closed: answered by .ada. at"):
        await loop.answer(interaction.id, answer)


async def test_a_cancel_withdraws_the_question(loop, eventually):
    interaction = await asked(loop, eventually)
    [cancellation] = await loop.cancel("payment")
    assert cancellation.effect == "requested"
    assert (await (await loop.get_send("payment")).result(timeout=20)).status is SendStatus.CANCELLED
    assert (await loop.get_interaction(interaction.id)).status == "withdrawn"
    assert paid == []


async def test_wrong_answers_are_refused_in_words(loop, eventually):
    interaction = await asked(loop, eventually)
    with pytest.raises(InvalidInput, match="does not say what became of the call"):
        await loop.answer(interaction.id, {"action": "perhaps"})
    with pytest.raises(InteractionNotFound, match="no interaction 'nothing'"):
        await loop.answer("nothing", {"action": "run"})
    with pytest.raises(InteractionNotFound):
        await loop.get_interaction("nothing")
    with pytest.raises(InvalidInput, match="Did you mean 'open'"):
        await loop.interactions(status="opn")
    assert [one.id for one in await loop.interactions(session_id="s")] == [interaction.id]


async def _is(handle, status):
    return await handle.status() is status
