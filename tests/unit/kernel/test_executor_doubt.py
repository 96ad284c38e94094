"""Calls whose process died while they ran, and sends that kill their processes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from powerloop.kernel.attempt import POISON_CODE
from powerloop.kernel.calls import CallStatus, Effect, Finding
from powerloop.kernel.driving import Outcome
from powerloop.kernel.ids import SendId, WorkerId
from powerloop.kernel.interactions import GIVEN_UP_NOTE, InteractionKind
from powerloop.kernel.sends import SendStatus
from powerloop.testing.factories import make_agent


@pytest.fixture
def died_paying(house, script, eventually) -> Callable[..., Any]:
    """A house whose first worker died while `pay` ran; its model will say `Done.` in the end."""

    async def build(*, more: tuple[str, ...] = ()) -> tuple[Any, SendId]:
        tools = (script.tool("pay", Effect.ONCE, concurrent=False), script.tool("find"))
        here = house(make_agent(tools=tools))
        here.toolbox.functions.update(pay=script.hang, find=script.returns("A-17"))
        calls = (("c1", "pay"), *((f"c{n}", name) for n, name in enumerate(more, start=2)))
        here.model.answers = [script.asks(*calls), script.says("Done.")]
        send_id, dead = await here.accept(), here.executor()
        drive = asyncio.create_task(dead.drive(send_id))
        await eventually(lambda: here.toolbox.called, "the tool runs")
        dead.abandon()
        await drive
        here.toolbox.functions["pay"] = script.returns("paid by the survivor")
        return here, send_id

    return build


async def test_a_probe_that_knows_the_result_spares_the_call(died_paying):
    here, send_id = await died_paying()
    here.toolbox.findings["pay"] = Finding.done("paid before")
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == ["c1"]
    assert (await here.log())[-2:] == ["tool: paid before", "assistant: Done."]


async def test_a_call_that_its_probe_knows_not_to_have_happened_is_run(died_paying):
    here, send_id = await died_paying()
    here.toolbox.findings["pay"] = Finding.not_done()
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == ["c1", "c1"]
    assert (await here.log())[-2:] == ["tool: paid by the survivor", "assistant: Done."]


async def test_a_call_that_nobody_can_tell_about_waits_for_a_person(died_paying):
    here, send_id = await died_paying(more=("find",))
    assert await here.executor(WorkerId("worker-2")).drive(send_id) is Outcome.WAITING
    send = await here.send(send_id)
    assert send.status is SendStatus.WAITING
    [question] = await here.store.interactions.list()
    assert (question.kind, question.tool, question.send_id) == (InteractionKind.IN_DOUBT, "pay", send_id)
    # What is not in doubt has run meanwhile.
    statuses = {call.id: call.status for call in await here.store.journal.load_calls(send_id)}
    assert statuses == {"c1": CallStatus.IN_DOUBT, "c2": CallStatus.DONE}
    assert here.recorder.types()[-2:] == ["interaction", "send.waiting"]


@pytest.mark.parametrize(
    ("answer", "called", "told"),
    [
        ({"action": "done", "result": "paid, says Ada"}, ["c1"], "tool: paid, says Ada"),
        ({"action": "run"}, ["c1", "c1"], "tool: paid by the survivor"),
        ({"action": "give_up"}, ["c1"], f"tool: {GIVEN_UP_NOTE}"),
    ],
)
async def test_the_answer_of_a_person_lets_the_send_go_on(died_paying, answer, called, told):
    here, send_id = await died_paying()
    survivor = here.executor(WorkerId("worker-2"))
    await survivor.drive(send_id)
    [question] = await here.store.interactions.list()
    answered = await here.store.interactions.answer(question.id, answer, actor="ada")
    assert answered.ready is not None
    assert await survivor.drive(send_id) is Outcome.ENDED
    assert here.toolbox.called == called
    assert (await here.log())[-2:] == [told, "assistant: Done."]
    assert (await here.send(send_id)).status is SendStatus.COMPLETED


async def test_a_probe_that_ignores_its_cancellation_holds_no_cancel_up(died_paying, eventually, monkeypatch):
    monkeypatch.setattr("powerloop.kernel.carrying._CLEAN_UP_S", 0.05)
    here, send_id = await died_paying()
    may_end = asyncio.Event()

    async def stubborn(agent, send, call):
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue
        return Finding.unknown()

    probed = asyncio.Event()
    here.toolbox.probe = lambda *call: (probed.set(), stubborn(*call))[1]
    survivor = here.executor(WorkerId("worker-2"))
    drive = asyncio.create_task(survivor.drive(send_id))
    await probed.wait()
    await here.cancel(send_id, survivor)
    assert await drive is Outcome.ENDED
    may_end.set()
    assert (await here.send(send_id)).status is SendStatus.CANCELLED


async def test_a_send_that_kills_its_process_each_time_fails_as_poison(house, script, eventually):
    here = house(make_agent())
    send_id = await here.accept()
    for number in range(3):
        here.model.answers = [script.hang]
        dead = here.executor(WorkerId(f"worker-{number}"), max_attempts=3)
        drive = asyncio.create_task(dead.drive(send_id))
        await eventually(lambda: not here.model.answers, "the model is asked")
        dead.abandon()
        await drive
    last = here.executor(WorkerId("worker-9"), max_attempts=3)
    assert await last.drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert send.status is SendStatus.FAILED
    assert send.error is not None
    assert (send.error.code, send.attempt) == (POISON_CODE, 4)
    # The session takes the next one.
    here.model.answers = [script.says("Hi!")]
    assert await last.drive(await here.accept(id="send-2")) is Outcome.ENDED


async def test_a_commit_in_between_proves_that_a_send_is_no_poison(house, script, eventually):
    here = house(make_agent(tools=(script.tool("find"),)))
    here.toolbox.functions["find"] = script.hang
    here.model.answers = [script.hang, script.hang, script.asks(("c1", "find")), script.says("Done.")]
    send_id = await here.accept()
    for number in range(5):
        dead = here.executor(WorkerId(f"worker-{number}"), max_attempts=3)
        steps = len(here.model.requests) + len(here.toolbox.called)
        drive = asyncio.create_task(dead.drive(send_id))
        # The third one gets an answer committed, and dies in the tool.
        steps += 2 if number == 2 else 1
        await eventually(
            lambda seen=steps: len(here.model.requests) + len(here.toolbox.called) == seen, "it gets there"
        )
        dead.abandon()
        await drive
    here.toolbox.functions["find"] = script.returns("A-17")
    assert await here.executor(WorkerId("worker-9"), max_attempts=3).drive(send_id) is Outcome.ENDED
    send = await here.send(send_id)
    assert (send.status, send.attempt, send.text) == (SendStatus.COMPLETED, 6, "Done.")


async def test_sends_on_their_last_chance_run_one_after_another(house, script, eventually):
    here = house(make_agent())
    here.model.answers = [script.hang, script.hang]
    ids = [await here.accept(id=f"send-{n}", session=f"session-{n}") for n in range(2)]
    dead = here.executor(WorkerId("worker-0"), max_attempts=2)
    drives = [asyncio.create_task(dead.drive(send_id)) for send_id in ids]
    await eventually(lambda: not here.model.answers, "the model is asked")
    dead.abandon()
    await asyncio.gather(*drives)
    running, peak = 0, 0

    async def counted():
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return script.says("Done.")

    here.model.answers = [counted, counted]
    survivor = here.executor(WorkerId("worker-1"), max_attempts=2)
    assert await asyncio.gather(*map(survivor.drive, ids)) == [Outcome.ENDED] * 2
    assert peak == 1


async def test_poison_closes_the_calls_it_leaves_open(died_paying):
    here, send_id = await died_paying()
    last = here.executor(WorkerId("worker-2"), max_attempts=0)
    assert await last.drive(send_id) is Outcome.ENDED
    assert (await here.send(send_id)).status is SendStatus.FAILED
    assert (await here.log())[-1].startswith("tool: ")
    [call] = await here.store.journal.load_calls(send_id)
    assert call.status is CallStatus.FAILED
