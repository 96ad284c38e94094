"""Inputs that meet in one session, in one process: what their producers are told."""

import asyncio

import pytest

from powerloop import Agent, AsyncPowerLoop, InvalidInput, SendStatus, tool
from powerloop.kernel.errors import SessionBusy
from powerloop.kernel.policies import Policy
from powerloop.llm import Rule, Script, ScriptedCall, Turn


@pytest.fixture
def gate():
    """What the tool waits for."""
    return asyncio.Event()


@pytest.fixture(params=["memory", "sqlite"])
async def loop(request, tmp_path, gate):
    @tool(effect="read")
    async def wait() -> str:
        """Wait until the test lets go."""
        await gate.wait()
        return "waited"

    script = Script(
        rules=(Rule(pattern="slow", turns=(Turn(calls=(ScriptedCall(name="wait"),)), Turn(text="Waited."))),),
        otherwise=Turn(text="You said $input"),
    )
    agents = [
        Agent(name="slow", model="scripted:slow", tools=[wait]),
        Agent(name="steered", model="scripted:slow", tools=[wait], policy=Policy.STEER),
    ]
    path = ":memory:" if request.param == "memory" else tmp_path / "app.db"
    async with AsyncPowerLoop.local(path, agents=agents, scripts={"slow": script}) as loop:
        yield loop


async def held(loop, agent="slow"):
    """A send whose tool waits for the gate."""
    session = await loop.create_session(agent)
    handle = await loop.send(session.id, "Be slow.")
    async for event in handle.events():
        if event.type == "tool.started":
            break
    return handle


async def texts(loop, session_id):
    return [message.text for message in await loop.messages(session_id) if message.text]


async def test_a_send_that_steers_ends_as_merged_and_its_readers_are_told(loop, gate):
    first = await held(loop)
    steers = [await loop.send(first.session_id, text, policy="steer") for text in ("left", "right")]
    told, of_first = (asyncio.create_task(read(handle)) for handle in (steers[0], first))
    ended = asyncio.create_task(steers[1].result(timeout=10))
    gate.set()

    assert (await first.result(timeout=10)).text == "You said right"
    result = await ended
    assert (result.status, result.ok, result.text) == (SendStatus.MERGED, False, "")
    assert [event.type for event in await told][-1] == "send.ended"
    assert (await told)[-1].body.status is SendStatus.MERGED
    assert await texts(loop, first.session_id) == ["Be slow.", "left", "right", "You said right"]
    committed = [event.body.seq for event in await of_first if event.type == "message"]
    assert committed == [1, 2, 3, 4, 5, 6]


async def read(handle):
    return [event async for event in handle.events()]


async def test_an_interrupt_cuts_off_at_once_what_runs_and_goes_on_with_its_input(loop):
    first = await held(loop)
    second = await loop.send(first.session_id, "Stop.", policy="interrupt")

    assert (await second.result(timeout=10)).text == "You said Stop."
    cut = await first.result(timeout=10)
    assert cut.status is SendStatus.CANCELLED
    assert cut.cancel.reason == f"interrupted by send {second.id}"
    assert await texts(loop, first.session_id) == ["Be slow.", "Stop.", "You said Stop."]


async def test_what_was_rolled_back_stays_in_the_log_and_out_of_the_model_s_sight(loop):
    first = await held(loop)
    second = await loop.send(first.session_id, "Anew.", policy=Policy.ROLLBACK)

    assert (await second.result(timeout=10)).text == "You said Anew."
    assert (await first.result(timeout=10)).cancel.reason == f"rolled back by send {second.id}"
    assert (await texts(loop, first.session_id))[0] == "Be slow."
    window = await loop._backend.store.journal.load_window(first.session_id, second.id)
    assert [message.text for message in window] == ["Anew.", "You said Anew."]


async def test_the_same_interrupt_again_finds_the_send_of_the_first(loop):
    first = await held(loop)
    second = await loop.send(first.session_id, "Be slow.", policy="interrupt", idempotency_key="once")
    await first.result(timeout=10)
    again = await loop.send(first.session_id, "Be slow.", policy="interrupt", idempotency_key="once")
    assert again.id == second.id
    assert (await second.refresh()).cancel is None
    await second.cancel()


async def test_a_session_says_what_its_agent_says_unless_it_was_given_another_policy(loop, gate):
    assert (await loop.create_session("slow")).policy is Policy.ENQUEUE
    assert (await loop.create_session("steered", policy="reject")).policy is Policy.REJECT
    first = await held(loop, "steered")
    assert (await loop.get_session(first.session_id)).policy is Policy.STEER
    steer = await loop.send(first.session_id, "left")
    queued = await loop.send(first.session_id, "right", policy="enqueue")
    gate.set()
    assert (await steer.result(timeout=10)).status is SendStatus.MERGED
    assert (await queued.result(timeout=10)).text == "You said right"


async def test_a_session_that_rejects_is_refused_what_does_not_say_otherwise(loop):
    session = await loop.create_session("slow", policy=Policy.REJECT)
    first = await loop.send(session.id, "Be slow.")
    with pytest.raises(SessionBusy):
        await loop.send(session.id, "And?")
    assert (await loop.send(session.id, "And?", policy="enqueue")).send.policy is Policy.ENQUEUE
    await first.cancel()


async def test_a_policy_that_does_not_exist_is_refused_with_the_nearest_one(loop):
    with pytest.raises(InvalidInput) as refused:
        await loop.create_session("slow", policy="ster")
    assert "steer" in str(refused.value)
